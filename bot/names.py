"""The names that Slack sends back to us: action ids, callback ids. Stored in posted messages, so never renamed."""

APPROVE = "approve"
DENY = "deny"
WHO = "who"
END = "end"
CANCEL = "cancel"
OPEN_CARD = "open_card"
NOT_ME = "not_me"

TARGET = "target"
ROLE = "role"

ASK_FORM = "ask"
DENY_FORM = "deny"
