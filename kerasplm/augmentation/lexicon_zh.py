"""What is never replaced in Chinese, and what never replaces what: own lists."""

_STOP_WORDS = """
的 地 得 了 着 过 吗 呢 吧 啊 呀 嘛 哦 哈 嗯 喔 唉 哎 之 所 者 等 等等 们 似的 我 你
您 他 她 它 咱 我们 你们 您们 他们 她们 它们 咱们 自己 人家 大家 别人 这 那 哪 这个
那个 哪个 这些 那些 哪些 这里 那里 哪里 这儿 那儿 哪儿 这样 那样 这么 那么 怎么 怎样
怎么样 什么 谁 多少 几 某 某些 各 各种 每 每个 其 其他 其它 其中 此 该 本 另 另外
任何 一切 所有 全部 有些 有的 一些 一点 一下 一个 一样 一般 在 从 自 自从 由 于 对
对于 关于 至于 向 往 朝 到 给 替 为 为了 以 按 按照 根据 依照 通过 随着 沿着 除 除了
把 被 将 让 叫 使 使得 比 跟 和 与 同 及 以及 或 或者 还是 并 并且 而 而且 且 但
但是 可是 不过 然而 只是 虽然 尽管 即使 就算 哪怕 因为 由于 因此 所以 因而 于是 如果
要是 假如 只要 只有 除非 否则 无论 不管 既 既然 是 就是 有 没有 没 会 能 能够 可以
可 可能 应 应该 应当 该当 要 想 必须 需要 得以 也 都 就 才 又 再 还 还有 仍 仍然 已
已经 曾 曾经 正 正在 刚 刚刚 将要 便 却 则 很 太 更 最 极 挺 非常 十分 特别 尤其
比较 相当 稍 稍微 越 越来越 更加 几乎 差不多 只 仅 仅仅 单 光 共 总 总共 一共 大约
大概 左右 上下 以上 以下 以内 以外 之前 之后 以前 以后 之间 之中 时 时候 的话 来说
来 去 起来 下来 出来 上 下 里 内 中 外 前 后 间 当 当时 如 如此 如何 例如 比如 像
好像 即 也就是 据 尚 然后 接着 最后 首先 其次 终于 究竟 到底 难道 何 何必 何况 甚至
乃至 以至 以便 以免 从而 进而 与其 宁可
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""Function words; what carries the grammar of a sentence, not its matter."""

NEGATIONS = frozenset("不没沒无無未勿莫毋否")
"""A word with one of these is not touched, and none comes into a text."""

NUMERALS = frozenset(
    "零〇一二三四五六七八九十百千万亿两兩萬億壹贰叁肆伍陆柒捌玖拾佰仟几半"
)
"""A word of these alone is a number."""

_PAIRS = """
好坏 好差 好烂 好糟 大小 高低 高矮 多少 长短 快慢 早晚 新旧 新老 冷热 凉热 冷暖 轻重
深浅 远近 宽窄 厚薄 胖瘦 强弱 软硬 干湿 粗细 美丑 善恶 真假 对错 正误 是非 优劣 优差
喜厌 喜恶 喜悲 爱恨 乐悲 乐苦 甜苦 香臭 净脏 亮暗 明暗 黑白 贵贱 穷富 贫富 胜败 胜负
赢输 成败 得失 进退 进出 来去 上下 前后 左右 里外 内外 开关 开闭 买卖 借还 收发 生死
存亡 升降 涨跌 增减 加减 升跌 涨落 起落 起伏 松紧 忙闲 满空 安危 贬褒 吉凶 利弊 利害
益害 益损 盈亏 男女 父母 儿女 东西 南北 古今 始终 先后 有无 易难 顺逆 活死 静吵 静闹
公私 主次 首尾 攻守 敌友 信疑 勤懒 聪笨 智愚 勇怯 谦傲 诚伪 繁简 朝暮 昼夜 日夜 雅俗
整乱 齐乱 熟生 稳乱 浓淡 稀稠 盛衰 兴衰 兴亡 支持/反对 喜欢/讨厌 喜爱/厌恶 满意/失望
高兴/难过 高兴/伤心 快乐/痛苦 快乐/悲伤 开心/难过 开心/伤心 幸福/痛苦 幸福/悲惨
成功/失败 胜利/失败 积极/消极 主动/被动 乐观/悲观 正面/负面 肯定/否定 同意/反对
赞成/反对 接受/拒绝 允许/禁止 方便/麻烦 简单/复杂 容易/困难 便宜/昂贵 干净/肮脏
清洁/肮脏 整洁/凌乱 安静/吵闹 安静/嘈杂 热情/冷淡 热情/冷漠 友好/恶劣 漂亮/丑陋
美丽/丑陋 精彩/无聊 有趣/无聊 有趣/乏味 舒适/难受 舒服/难受 安全/危险 健康/生病
聪明/愚蠢 聪明/笨拙 勇敢/胆小 诚实/虚伪 优点/缺点 优秀/糟糕 出色/糟糕 完美/糟糕
推荐/劝阻 值得/枉费 新鲜/陈旧 先进/落后 增加/减少 提高/降低 上升/下降 上涨/下跌
扩大/缩小 加强/削弱 开始/结束 开放/封闭 真实/虚假 正确/错误 合法/非法 公平/偏袒
富裕/贫穷 清楚/模糊 明亮/昏暗 宽敞/狭窄 充实/空洞 丰富/贫乏 深刻/肤浅 耐心/急躁
细心/粗心 认真/马虎 及时/拖延 准时/迟到 结实/脆弱 坚强/软弱 稳定/动荡 表扬/批评
赞扬/指责 赞美/批评 信任/怀疑 相信/怀疑 爱护/破坏 保护/破坏 建设/破坏 团结/分裂
和平/战争 朋友/敌人 原因/结果 白天/黑夜
"""


def _opposites() -> dict[str, frozenset[str]]:
    """Return what stands against each term, in both directions."""
    found: dict[str, set[str]] = {}
    for pair in _PAIRS.split():
        one, other = pair.split("/") if "/" in pair else (pair[0], pair[1:])
        found.setdefault(one, set()).add(other)
        found.setdefault(other, set()).add(one)
    return {term: frozenset(others) for term, others in found.items()}


OPPOSITES = _opposites()
"""Term to the terms that mean its opposite; single characters count inside words."""
