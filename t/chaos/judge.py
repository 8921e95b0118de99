"""What a client got and what the log says, against what really happened."""

import json
from dataclasses import dataclass, field

from client import FORMS


@dataclass
class Tally:
    """Requests that were wrong for the client, lost, or counted falsely; all must be none."""

    requests: int = 0
    wrong: list = field(default_factory=list)
    lost: list = field(default_factory=list)
    false: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    def good(self):
        return not (self.wrong or self.lost or self.false)

    def __str__(self):
        counts = f"{self.requests} requests: {len(self.wrong)} wrong, {len(self.lost)} lost, {len(self.false)} counted falsely"
        return "; ".join([counts, *self.notes])


def judge(tally, one, form, answer, log, drains=False):
    """One request; `log` are its lines in the access log."""
    tally.requests += 1

    def wrong(what):
        tally.wrong.append(f"{one.model} {form} {one.fault}@{one.at}: {what} (status {answer.status}, {len(answer.body)} bytes)")

    if answer.status is None and not answer.left:
        tally.lost.append(f"{one.model} {form} {one.fault}@{one.at}: no answer")
    elif not answer.left:
        complaint = complaint_about(one, form, answer)
        if complaint:
            wrong(complaint)
    if len(log) != 1:
        tally.lost.append(f"{one.model} {form} {one.fault}@{one.at}: {len(log)} lines in the log")
        return
    (line,) = log
    counted = line["output_tokens"]
    # Known if all of it came, unknown otherwise. What is cut off by RST may or may not have come.
    came = one.intact() == len(one.frames)
    allowed = {str(one.tokens)} if came else {None}
    if (came and one.fault == "reset") or (answer.left and not drains):
        allowed |= {None}
    statuses = {"none": {"complete"}, "flip": {"corrupt"}}.get(one.fault, {"complete"} if came else {"truncated"})
    if one.fault == "reset":
        statuses = {"truncated", *statuses}
    if answer.left:
        statuses = {"drained", "complete"} if drains else {"aborted", "complete"}
        if counted is None and line["stream_status"] == "complete":
            statuses = set()
    if counted not in allowed or line["stream_status"] not in statuses:
        tally.false.append(f"{one.model} {form} {one.fault}@{one.at}: {line['stream_status']} with {counted} tokens, of {one.tokens}")


def complaint_about(one, form, answer):
    """What is wrong with an answer that was read to its end; None if nothing is."""
    intact = one.intact()
    # After messageStop only the usage is missing.
    ended_well = one.fault == "none" or (one.fault == "end" and intact >= len(one.frames) - 1 and on_border(one))
    if form in READERS:
        return complaint_about_dialect(one, form, answer, intact, ended_well)
    if answer.whole != ended_well and not (intact == 0 and answer.status >= 500):
        return "ended well" if answer.whole else "was cut"
    if answer.status != 200:
        # The first frame never came whole (or RST overtook it).
        early = intact == 0 or one.fault == "reset"
        return None if early and answer.status in (502, 504) and b'"message"' in answer.body else "is an error"
    if intact == 0:
        return "has a header without a first frame"
    got, sent = bytes(answer.body), one.sent_data()
    if form == "native":
        start = sum(map(len, one.frames[:intact]))
        damaged = start + len(one.frames[intact]) if one.fault == "flip" else len(sent) + 1
        if not sent.startswith(got) or len(got) >= damaged:
            return "has other bytes than were sent"
        return None if len(got) >= start or one.fault == "reset" else "lacks a frame that came"
    expected = FORMS[form].expected(one.frames[:intact])
    if ended_well:
        return None if got == expected else "has other events than were sent"
    if one.fault == "reset":
        # Some may have been overtaken: whole events, and the error.
        got = got.split(b"event: internalServerException\n")[0]
        return None if expected.startswith(got) and (not got or got.endswith(b"\n\n")) else "has other events than were sent"
    rest = got.removeprefix(expected)
    if intact == len(one.frames):
        return None if got == expected else "has other events than were sent"
    is_error = rest.startswith(b"event: internalServerException\ndata: ") and rest.count(b"\n\n") == 1
    return None if got.startswith(expected) and (is_error or intact == len(one.frames) - 1) else "lacks an event, or the error"


def complaint_about_dialect(one, form, answer, intact, ended_well):
    """The same for an answer in a vendor's own form, which says inside of it whether it is whole."""
    # RST may overtake what was sent before it.
    overtaken = one.fault == "reset"
    if not answer.whole:
        return "was cut"
    if answer.status != 200:
        early = intact == 0 or overtaken
        return None if early and answer.status in (502, 504) and b'"error":{' in answer.body else "is an error"
    text, ended, failed = READERS[form](events(answer.body))
    if ended == failed:
        return "has an end and an error" if ended else "has neither an end nor an error"
    # After messageStop only the usage is missing, wherever the stream ended then; here it need not be cut to say so.
    if one.fault != "flip" and intact >= len(one.frames) - 1:
        ended_well = ended if overtaken else True
    if ended != ended_well:
        return "ended well" if ended else "ended with an error"
    sent = one.text(intact)
    return None if text == sent or (overtaken and sent.startswith(text)) else "has other text than was sent"


def events(body):
    """The data of each event; None where it is no JSON."""
    for event in bytes(body).decode().removesuffix("\n\n").split("\n\n"):
        data = event.split("data: ", 1)[1]
        yield None if data == "[DONE]" else json.loads(data)


def read_openai(events):
    """The text, whether the answer ended as whole ones do, whether it says that it failed."""
    text, ended, failed = "", False, False
    for event in events:
        ended |= event is None
        failed |= event is not None and "error" in event
        for choice in (event or {}).get("choices", []):
            text += choice["delta"].get("content") or ""
    return text, ended, failed


def read_anthropic(events):
    text, ended, failed = "", False, False
    for event in events:
        ended |= event["type"] == "message_stop"
        failed |= event["type"] == "error"
        if event["type"] == "content_block_delta":
            text += event["delta"].get("text", "")
    return text, ended, failed


READERS = {"openai": read_openai, "anthropic": read_anthropic}


def on_border(one):
    return one.at in {sum(map(len, one.frames[:count])) for count in range(len(one.frames) + 1)}
