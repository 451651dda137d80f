"""Tasks on texts with relations between their parts."""

from kerasplm.tasks.formats import FORMATS
from kerasplm.tasks.task import Task

# The different predicates of all_50_schemas, in its order.
_LIC2019 = """
祖籍 父亲 总部地点 出生地 目 面积 简称 上映时间 妻子 所属专辑
注册资本 首都 导演 字 身高 出品公司 修业年限 出生日期 制片人 母亲
编剧 国籍 海拔 连载网站 丈夫 朝代 民族 号 出版社 主持人 专业代码
歌手 作词 主角 董事长 成立日期 毕业院校 占地面积 官方语言 邮政编码
人口数量 所在城市 作者 作曲 气候 嘉宾 主演 改编自 创始人
"""

RELATION = (
    Task(
        name="lic2019",
        title="Which relations does a text state?",
        source="Baidu LIC 2019 (SKED); ZhuiyiTechnology/pretrained-models "
        "task_lic2019_ie.py",
        kind="relation",
        labels=tuple(_LIC2019.split()),
        format=FORMATS["lic2019"],
        # The originals judge moving averages of the weights (0.999) besides.
        recipe={
            "epochs": 20,
            "batch_size": 64,
            "learning_rate": 1e-5,
            "warmup": 0.0,
            "max_length": 128,
            "head_dropout": 0.0,
        },
    ),
)
