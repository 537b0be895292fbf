"""The policy: who may ask for what, and who decides. A judgment is a value with its reason and the rule that spoke."""

from access.policy.explaining import Explanation as Explanation
from access.policy.explaining import explain as explain
from access.policy.facts import NOTHING_KNOWN as NOTHING_KNOWN
from access.policy.facts import Facts as Facts
from access.policy.facts import Looked as Looked
from access.policy.facts import NotLooked as NotLooked
from access.policy.judging import Wanted as Wanted
from access.policy.model import LONGEST_REASON as LONGEST_REASON
from access.policy.model import LONGEST_TICKET as LONGEST_TICKET
from access.policy.model import BreakGlass as BreakGlass
from access.policy.model import Rule as Rule
from access.policy.model import Verdict as Verdict
from access.policy.model import Watch as Watch
from access.policy.policy import Policy as Policy
from access.policy.standing import Standing as Standing
