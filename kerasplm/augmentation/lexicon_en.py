"""What is never replaced in English, and what never replaces what: own lists."""

_STOP_WORDS = """
a an the this that these those such same other another each every either neither
both all any some none no not nor never nothing nobody nowhere i me my mine myself
we us our ours ourselves you your yours yourself yourselves he him his himself she
her hers herself it its itself they them their theirs themselves one ones who whom
whose which what whatever whoever when whenever where wherever why how however there
here then now be am is are was were been being do does did done doing have has had
having can could may might must shall should will would ought need dare cannot ain
aren couldn didn doesn don hadn hasn haven isn mightn mustn needn shan shouldn wasn
weren won wouldn t s d ll m o re ve y ma and or but if unless although though while
whereas because since so than as whether until till once lest yet also too only just
even still already again of in on at by for to from with without within into onto
upon out off over under above below up down about around across along after before
behind between among against during through throughout toward towards beside besides
beyond despite except per via near like unlike plus versus very more most much many
few little less least own quite rather almost enough well oh ok yes please
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""Function words, negations, and the pieces that apostrophes leave."""

NEGATING_PREFIXES = ("un", "in", "im", "il", "ir", "dis", "non", "mis", "anti")
"""A word and the same word behind one of these are opposites."""

_PAIRS = """
good/bad good/poor good/terrible good/awful great/awful great/terrible best/worst
better/worse nice/nasty big/small large/small long/short tall/short high/low
fast/slow quick/slow early/late new/old young/old hot/cold warm/cool light/dark
light/heavy deep/shallow near/far wide/narrow thick/thin fat/thin strong/weak
soft/hard wet/dry rough/smooth beautiful/ugly pretty/ugly true/false right/wrong
right/left correct/wrong love/hate like/hate like/dislike happy/sad glad/sad
joy/sorrow funny/boring interesting/boring interesting/dull exciting/boring
clean/dirty bright/dull bright/dim cheap/expensive rich/poor win/lose won/lost
success/failure succeed/fail succeeds/fails gain/loss enter/exit come/go open/close
open/closed open/shut buy/sell bought/sold give/take lend/borrow live/die alive/dead
life/death rise/fall increase/decrease more/less most/least add/remove
safe/dangerous easy/difficult easy/hard simple/complex simple/complicated
always/never always/seldom often/seldom often/rarely everything/nothing
everyone/nobody everybody/nobody somebody/nobody something/nothing accept/reject
accept/refuse allow/forbid agree/disagree support/oppose friend/enemy war/peace
day/night male/female man/woman men/women boy/girl father/mother brother/sister
son/daughter husband/wife king/queen first/last begin/end start/end start/stop
start/finish full/empty loud/quiet quiet/noisy calm/angry brave/afraid smart/stupid
clever/stupid wise/foolish kind/cruel polite/rude honest/dishonest fresh/stale
positive/negative superb/awful excellent/poor excellent/terrible perfect/flawed
brilliant/awful wonderful/awful wonderful/terrible charming/annoying before/after
above/below inside/outside up/down north/south east/west push/pull remember/forget
teach/learn ask/answer question/answer laugh/cry build/destroy
"""


def _opposites() -> dict[str, frozenset[str]]:
    """Return what stands against each word, in both directions."""
    found: dict[str, set[str]] = {}
    for pair in _PAIRS.split():
        one, other = pair.split("/")
        found.setdefault(one, set()).add(other)
        found.setdefault(other, set()).add(one)
    return {term: frozenset(others) for term, others in found.items()}


OPPOSITES = _opposites()
"""Word to the words that mean its opposite."""

_PRAISE = """
good great best better nice fine superb excellent perfect brilliant wonderful charming
amazing awesome fantastic beautiful pretty lovely funny exciting clever smart delicious
enjoyable pleasant happy glad fresh clean comfortable friendly helpful impressive
memorable moving touching powerful entertaining delightful fun enjoy enjoyed love loved
"""
_BLAME = """
bad worst worse poor awful terrible horrible nasty ugly boring dull stupid silly dirty
annoying disappointing disappointed disgusting painful weak lame mediocre messy rude
sad ridiculous pointless tedious bland stale broken waste wasted fail fails failed
failure flawed hate hated mess pathetic shallow pretentious predictable
"""
PRAISE, BLAME = frozenset(_PRAISE.split()), frozenset(_BLAME.split())
"""Words of praise and of blame."""
