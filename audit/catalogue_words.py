"""The words of the catalogue that the code does not hold: when, for which control, and what each field means.

Control numbers: PCI DSS 4.0.1, SOC 2 (2017 criteria), ISO 27001:2022 Annex A, NIST SP 800-53 revision 5.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """`when`: finishes the sentence “Written …”. `of_request`: the entry carries the `ref` of a request."""

    when: str
    controls: str
    of_request: bool = True


_ASKED = "SOC 2 CC6.2; PCI 8.6.1, 10.2.2; ISO A.5.18; NIST AC-2"
_DECIDED = "SOC 2 CC6.2, CC6.3; PCI 7.2.3, 8.6.1; ISO A.5.18, A.8.2; NIST AC-2(4), AC-5, AU-10"
_DENIED = "PCI 10.2.1.4; SOC 2 CC6.1; NIST AC-6(9), AU-2"
_GRANTED = "PCI 8.6.1, 10.2.1.5; SOC 2 CC6.3; ISO A.8.2; NIST AC-2(4), AC-6(2)"
_CREDENTIAL = "PCI 10.2.1.5, 8.2.2; SOC 2 CC6.1, CC6.2; ISO A.5.17; NIST AC-2(4), IA-4"
_ENDED = "PCI 8.6.1, 10.2.1.5; SOC 2 CC6.3; ISO A.5.18, A.8.2; NIST AC-2(3), AC-2(4)"
_REVIEWED = "SOC 2 CC6.2, CC7.3; PCI 7.2.4, 10.4.1; ISO A.5.18, A.8.2; NIST AC-2(7), AC-6(7), AU-6"
_SIGN_IN = "PCI 8.2.1, 10.2.1.5; SOC 2 CC6.1; NIST IA-2, AU-2"
_DONE = "PCI 10.2.1.1, 10.2.1.2, 8.6.1; SOC 2 CC7.2; ISO A.8.15, A.8.18; HIPAA 164.312(b); NIST AC-6(9), AU-3, AU-12"
_LOG_RUNS = "PCI 10.2.1.6; ISO A.8.15; NIST AU-5, AU-12"
_LOG_READ = "PCI 10.2.1.3, 10.3.1; ISO A.8.15; NIST AU-6, AU-9(4)"
_LOG_COPY = "PCI 10.3.3, 10.7.2, 10.7.3; ISO A.8.15; NIST AU-5, AU-9(2)"
_ONCE = "in the transaction that"

WORDS: dict[str, Words] = {
    "request.asked": Words(f"{_ONCE} stores the request", _ASKED),
    "ask.refused": Words("when policy says no to an ask", _DENIED, of_request=False),
    "approval.given": Words(f"{_ONCE} stores the vote", _DECIDED),
    "request.approved": Words(f"{_ONCE} stores the last vote needed and the grant", _DECIDED),
    "request.denied": Words(f"{_ONCE} ends the request", _DECIDED),
    "request.cancelled": Words(f"{_ONCE} ends the request", _ASKED),
    "request.expired": Words(f"{_ONCE} ends the request, when its time to be decided is over", _ASKED),
    "request.reminded": Words("once, halfway through the time to decide", _ASKED),
    "request.escalated": Words("when others than before are asked to decide", _DECIDED),
    "request.commented": Words("when somebody comments", _ASKED),
    "glass.broken": Words(
        f"{_ONCE} opens a grant without approval, beside `request.approved`",
        "SOC 2 CC6.3, CC7.3; PCI 7.2.3; ISO A.8.2; HIPAA 164.312(a)(2)(ii); NIST AC-2(4), AC-3(10)",
    ),
    "act.refused": Words("when somebody's approval, denial, ending, collecting or review is refused", _DENIED),
    "grant.active": Words(f"{_ONCE} makes the grant active, after the provider has prepared it", _GRANTED),
    "grant.failed": Words(f"{_ONCE} ends the grant, on a definite no of the provider", _GRANTED),
    "grant.quarantined": Words(f"{_ONCE} sets the grant aside", _GRANTED),
    "handle.prepared": Words(f"{_ONCE} stores the provider's further handle", _GRANTED),
    "credential.intended": Words("and durable before the provider is asked for a credential", _CREDENTIAL),
    "credential.issued": Words("and signed before the credential leaves the server", _CREDENTIAL),
    "credential.aborted": Words("when a credential that was intended is not handed over", _CREDENTIAL),
    "credential.died": Words("when a look at the provider no longer finds it", _CREDENTIAL),
    "grant.started": Words(f"{_ONCE} starts the clock, before the first credential is asked for", _GRANTED),
    "grant.expiring": Words("some minutes before the end, once for each end", _GRANTED),
    "grant.extended": Words(f"{_ONCE} moves the end, beside the extension's `request.approved`", _DECIDED),
    "grant.ending": Words(
        "and durable before anything is revoked at the provider; in the spool first, where the database was away "
        "and the disk did not stand still",
        _ENDED,
    ),
    "revocation.failed": Words("at the first failure of a revocation, and when it calls for people", f"{_ENDED}, AU-5"),
    "grant.ended": Words(f"{_ONCE} ends the grant, after the provider was asked whether anything is left", _ENDED),
    "review.opened": Words(f"{_ONCE} stores the review, when the grant is over or the glass was broken", _REVIEWED),
    "review.reminded": Words("each day that the review stays open", _REVIEWED),
    "review.flagged": Words("when a reviewer saw something that has to be looked into", _REVIEWED),
    "review.closed": Words(f"{_ONCE} closes the review", _REVIEWED),
    "login.code_shown": Words(f"{_ONCE} stores the code's hash", _SIGN_IN, of_request=False),
    "login.signed_in": Words(f"{_ONCE} stores the terminal's key", _SIGN_IN, of_request=False),
    "login.signed_out": Words(f"{_ONCE} ends the terminal's sign-in", _SIGN_IN, of_request=False),
    "policy.loaded": Words(
        "when a server starts with a policy or loads another",
        "SOC 2 CC6.1, CC8.1; ISO A.5.15; NIST AC-3, CM-3",
        of_request=False,
    ),
    "policy.refused": Words(
        "once for each content of the policy file that cannot be used, while the server runs",
        "SOC 2 CC6.1, CC8.1; ISO A.5.15; NIST AC-3, CM-3",
        of_request=False,
    ),
    "members.seen": Words(
        "before the first decision that rests on this membership", "SOC 2 CC6.3; NIST AC-2(4), AU-10", of_request=False
    ),
    "strays.found": Words("when a look at the provider finds others than the look before", _ENDED, of_request=False),
    "stray.ending": Words("and durable before anything is ended at the provider", _ENDED, of_request=False),
    "stray.ended": Words("after the provider was asked whether it is gone", _ENDED, of_request=False),
    "server.started": Words("when a server begins to serve", _LOG_RUNS, of_request=False),
    "server.stopped": Words("when a server stops in order; a killed one writes nothing", _LOG_RUNS, of_request=False),
    "pass.given": Words(f"{_ONCE} stores the pass, before the terminal hears of it", _CREDENTIAL),
    "pass.ended": Words("when a terminal says that the tool it was for has ended", _CREDENTIAL),
    "session.opened": Words("and durable before a byte of a recorded connection goes to the target", _DONE),
    "session.recorded": Words("at most a second after something was done in it, beside what was done", _DONE),
    "session.cut": Words(f"{_ONCE} tells the gateway to end it", f"{_DONE}; NIST AC-12"),
    "session.closed": Words("when a recorded connection ends", _DONE),
    "session.stored": Words("once the copy of its recording was read back from there", f"{_LOG_COPY}, AU-11"),
    "session.removed": Words("and durable before the file is deleted", "PCI 10.5.1; ISO A.8.10; NIST AU-11"),
    "recording.erased": Words(f"{_ONCE} destroys its key", "PCI 10.3.2; ISO A.5.34, A.8.10; NIST AU-9, SI-12"),
    "statement.held": Words("and durable before anybody is asked to let it run", _DONE),
    "statement.allowed": Words(f"{_ONCE} lets it run, before it reaches its target", _DECIDED),
    "statement.refused": Words(f"{_ONCE} settles that it does not run", _DENIED),
    "db.query": Words("from the session's recording, in the order of the statements", _DONE),
    "host.command": Words("from the session's recording, in the order of the commands", _DONE),
    "host.file": Words("from the session's recording, in the order of the acts", _DONE),
    "log.quiet": Words("after five minutes without another entry", f"{_LOG_RUNS}, AU-8", of_request=False),
    "log.key": Words(
        "when a server starts with a key that the log has not named last", "NIST AU-9(3), AU-10", of_request=False
    ),
    "copy.failed": Words("once per outage", _LOG_COPY, of_request=False),
    "copy.recovered": Words("once the outage is over and nothing waits", _LOG_COPY, of_request=False),
    "audit.searched": Words("before the answer is shown", _LOG_READ, of_request=False),
    "audit.exported": Words("before the file is handed over", _LOG_READ, of_request=False),
    "audit.erased": Words(
        f"{_ONCE} destroys the text", "PCI 10.3.2; ISO A.5.34, A.8.10; NIST AU-9, SI-12", of_request=False
    ),
}

ENVELOPE = (
    ("`v`", "whole number", "version of the catalogue that the entry was written under"),
    ("`log`", "text", "origin: the log's name, which its checkpoints bear too"),
    ("`seq`", "whole number", "place in the log: from 0, without gaps"),
    ("`recorded_at`", "time, µs since 1970-01-01 UTC", "when it was written; never decreases along the log"),
    ("`occurred_at`", "time, µs since 1970-01-01 UTC", "when it happened, by the clock of whoever saw it"),
    ("`type`", "text", "the tag below"),
    ("`by`", "person: `id`, `name`, `slack_id`", "who did it; absent when it was prodaccess itself"),
    ("`ref`", "text or absent", "the request it belongs to: `PA-7`"),
    ("`n`", "whole number or absent", "place among the entries of its request: from 0, without gaps"),
    ("`prev`", "whole number or absent", "`seq` of the entry before it of the same request; absent when `n` is 0"),
    ("`data`", "the fields below", "a field that is not known is left out"),
)

#: Question, the fields that answer it, and what answers it through the request. Own fields go first.
QUESTIONS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("who", ("by", "operator"), ""),
    ("on whose behalf", (), "`by` of `request.asked`"),
    ("what", ("type", "act", "text", "shape", "touches", "public_id", "role", "query", "form", "fields", "device"), ""),
    ("when", ("at",), ""),
    ("where", ("target", "host", "address", "to", "through"), "`target` of `request.asked`"),
    ("why", ("reason", "why", "cause"), "`reason` of `request.asked`"),
    ("approved by", ("approvers",), "`approvers` of `request.approved`"),
    ("under which policy", ("policy_hash",), "`policy_hash` of `request.asked`"),
    ("for which ticket", ("ticket",), "`ticket` of `request.asked`"),
)

FIELDS: dict[str, str] = {
    "act": "what they tried, such as `approve` or `deny`",
    "actions": "how many acts the recording holds",
    "address": "network address that the person's terminal connected from",
    "approvals_needed": "how many people must say yes",
    "approvers": "ids of the persons who said yes",
    "attempt": "which handle of the provider, from 1",
    "bytes_in": "bytes of COPY data from the person",
    "bytes_out": "bytes of rows, COPY data or a program's output, to the person",
    "cause": "what ended it: `deadline`, `requester`, `approver`, `admin`, `lost_right`, `unfinished`, `not_used`, "
    "`ticket_closed`",
    "changes": "against the policy before: who gains and who loses what, a line each, 50 at most",
    "client": "what the person's tool calls itself",
    "count": "how many have said yes, this one included",
    "counted": "ids of the persons whose approval counts now, this one among them",
    "coverage": "`full`: touches name all of it; `partial`: some of it; `opaque`: it may have touched anything there",
    "credentials": "how many were handed out",
    "deciders": "Slack ids of those who are asked at once",
    "device": "id of the terminal's sign-in",
    "digest": "hash of what was asked for: a vote counts only for exactly that; of a group, of its name and members",
    "down_since": "when the outage began",
    "duration": "how long access was asked for, or is given for",
    "effective_by": "when the target will have followed, where it does so later than the provider",
    "ending_since": "when the ending began",
    "escalated": "whether people were called",
    "exact": "whether the text is what was run, and not what it looked like",
    "exit_code": "the command's exit code",
    "expires_at": "when it ends by itself",
    "extends": "the grant that it asks to prolong: `PA-7`",
    "extension": "the request whose approval moved the end: `PA-8`",
    "field": "the input that the refusal is about",
    "fields": "names of the fields whose text was destroyed",
    "first": "`seq` of the first entry that left",
    "first_use": "whether the time runs from the first credential",
    "fed": "text that went into it, where it had no terminal; cut, whole in the recording",
    "flags": "what makes it worth a second look, or a second person's: `ddl`, `write-without-where`, `bulk-read`, "
    "`roles`, `program`, `sudo`, `secrets`, `posing`, `opaque`, `first-time`",
    "form": "`bundle`, `tiles`, `jsonl`, `csv`, `ocsf` or `parquet`",
    "found": "how many entries the answer showed",
    "gateway": "`postgres` or `ssh`",
    "glass": "whether it breaks the glass: without approval, and reviewed afterwards",
    "group": "a group kept elsewhere: `slack:S0OWNERS`, `pagerduty:PI7DH85`",
    "happened_at": "when it happened, where the database was away and it could only be written down later",
    "held": "id of what waits: `PA-7-2.3` is the third of its session",
    "host": "name of a machine: the person's for credentials and sign-ins, the target's for what was done there",
    "identity": "how the person was known: `slack`, or `device` while Slack did not answer",
    "in_transaction": "whether a transaction is open, whose locks are held meanwhile",
    "key": "public key: of the terminal (Ed25519, base64url), or of the checkpoints (C2SP verifier key)",
    "kind": "a statement: `read`, `write`, `schema`, `session` or `other`; on a host: `command`, `shell`, `subsystem`, "
    "`typed` (a line of a terminal, as its shell says), `seen` (as its screen shows), `forward`, `request`; "
    "of a file: what was asked of the host",
    "lapses_at": "when it ends undecided",
    "last": "`seq` of the last entry that left",
    "lasted": "microseconds from its sending to its last answer, or its end",
    "late": "whether it is told by somebody else, after the gateway that held the session was gone: its time is then "
    "that of the telling",
    "lately": "asks of this person within the hour before, refused ones too",
    "limit": "`pending` or `per_hour` where the limit per person said no, `review` where a broken glass must be "
    "reviewed first, `device` where Slack was silent and the policy file does not name the person",
    "looked": "the groups kept elsewhere that the decision rests on: each with the digest of its members and when",
    "n": "which credential of the grant, from 1",
    "name": "of the pass: the user name that goes with it",
    "needed": "how many must say yes",
    "not_after": "when the credential ends by itself",
    "opened_at": "when access began",
    "own_request": "whether it is the requester's own, which the policy's rule allows in so many words",
    "operator": "who ran it on the server, as that machine knows them",
    "outcome": "`ok`, or the database's error code; `skipped`: never run; `unknown`: no answer came; on a host also "
    "`exit 3`, `signal TERM`, `refused`, or the host's words",
    "people": "Slack ids, in order",
    "place": "where it is kept: `s3://BUCKET/KEY?versionId=…`",
    "policy_hash": "SHA-256 of the policy's text; the text is kept under it",
    "program": "the program that was run",
    "promise": "the provider's guarantee about ending access, in words",
    "proof": "what was checked at the provider and what it answered, a sentence each",
    "provider": "which issuer, by the name that the policy uses: `vault`, `aws` …",
    "public_id": "the credential's public name, such as an access key id or a database user; never the secret",
    "query": "what was searched for",
    "raw": "whether the recording keeps secrets that are in what is said, too",
    "reason": "why, in the person's own words",
    "recording": "running SHA-256 of the recording so far, in hex; of the whole one where it is closed",
    "redacted": "from how many places secrets were taken before anybody could search them",
    "request_id": "the request's opaque id, which buttons carry",
    "reviewers": "Slack ids of those who are asked to look",
    "role": "what they may do there, as the policy names it",
    "rows": "how many rows the database returned or changed",
    "rule": "the policy's rule that spoke",
    "rules": "how many rules the policy has",
    "seq": "`seq` of the entry whose text was destroyed",
    "session": "id of the recorded session",
    "sha256": "of the file, in hex; of one that passed, where it passed in order and from the beginning",
    "shape": "the statement without its literals",
    "shorter": "the most that this approval allows, where that is less than was asked for",
    "size": "bytes",
    "stages": "how far the approval is, a line of JSON for each stage: how many of whom, who settled it, who is asked",
    "snapshot": "SHA-256 of what the ticket system said of the ticket",
    "stray": "what stands at the provider without an open grant that accounts for it, in words",
    "strays": "the same of all that were found, 20 at most",
    "tables": "what it would touch: `write table:public.orders`",
    "target": "what was accessed, as the policy names it",
    "text": "the statement or command as it was sent; of comments and reviews, what the person wrote",
    "through": "`slack`, `terminal` or `console`",
    "ticket": "the ticket that was named",
    "to": "name of the anchor or collector, or Slack ids of those who were called",
    "told": "Slack ids of those who are told at once",
    "touches": "operation and object: `read table:public.orders`, `write path:/etc/hosts`",
    "tried": "whether every credential handed out was tried at the target and refused",
    "tries": "how many tries there were",
    "until": "nobody can delete it there before",
    "values": "the parameters that went with it, as JSON",
    "version": "of prodaccess",
    "waiting": "requests of this person that waited",
    "was": "when it would have ended before",
    "why": "the reason, in prodaccess's words or the server operator's",
}
