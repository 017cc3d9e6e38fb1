"""Generates callbacks as Twilio writes and signs them, including unusual ones; deterministic for a seed."""

import hashlib
import json
import random
import string
import subprocess
from dataclasses import dataclass
from urllib.parse import quote, quote_plus, urlparse

from twilio.request_validator import RequestValidator, add_port

ACCOUNT = "AC0123456789abcdef0123456789abcdef"
OTHER_ACCOUNT = "ACfedcba9876543210fedcba9876543210"
TOKEN = "0123456789abcdef0123456789abcdef"
SECONDARY_TOKEN = "fedcba9876543210fedcba9876543210"
OTHER_TOKEN = "00112233445566778899aabbccddeeff"
SHARED_KEY = "a shared key's secret"
SHARED_KEY_SETTINGS = "key=webhooks_sharedkey_01,algorithm=HMAC_SHA256"
PUBLIC_URLS = ["https://hooks.example.com", "http://plain.example.com:8080/twilio"]
FORM = "application/x-www-form-urlencoded"

# The longest JSON body that is accepted.
JSON_BYTES_MAX = 1 << 20

STATUSES = ["queued", "sending", "sent", "delivered", "read", "undelivered", "failed", "canceled"]
QUERIES = [
    "",
    "?tenant=acme&id=order%2F42&note=a+b",
    "?b=2&a=1&a=1&a=",
    "?next=//x//y%20z",
    "?q=%F0%9F%99%82&%C3%B1=1",
    "?a=%2f&A=%2F",
]
ODD_VALUES = [
    "",
    " ",
    "  padded value\t",
    "a&b=c+d%20e%",
    "%2B%zz%",
    "Zoë ñ 🙂👩‍👩‍👧 中文 עברית",
    "line\r\nbreak\tand\0nul",
    "'; DROP TABLE events; --",
    '{"json": ["in", "a", "value"]}',
    "x" * 5_000,
    "é🙂" * 700,
]
ODD_NAMES = ["", "ZzNewParam2030", "aaNew", "_underscore", "Émoji", "🙂", "a b", "a&b", "a=b", "%41", "Body"]


class Parameters(dict):
    """A MultiDict with the getall method that the SDK expects."""

    def getall(self, name):
        return self[name]


@dataclass(frozen=True)
class Callback:
    """A request to send, and the URL over which it was signed."""

    target: str
    url: str
    content_type: str
    body: bytes
    signature: str
    settings: str | None
    idempotency_token: str


def genuine(seed, messages, node_signer=None):
    """Signed callbacks of this many messages; some are signed by the Node SDK if a signer is given."""
    rng = random.Random(seed)
    drafts = [draft for number in range(messages) for draft in drafts_of_message(rng, number)]
    by_node = [draft for draft in drafts if draft.is_for_node(rng)][:500] if node_signer else []
    signatures = dict(zip(map(id, by_node), node_signer(by_node))) if by_node else {}
    callbacks = [draft.signed(rng, signatures.get(id(draft))) for draft in drafts]
    repeated = rng.sample(callbacks, len(callbacks) // 20)
    return callbacks + repeated, len(by_node)


def tampered(seed, count):
    """Callbacks that were changed after signing, or signed with another key."""
    rng = random.Random(seed)
    changes = [body_changed, query_changed, signature_changed, token_changed, parameter_added,
               json_changed]
    return [rng.choice(changes)(rng, f"SM{'f' * 24}{number:08x}") for number in range(count)]


class Draft:
    """A callback that is not signed yet."""

    def __init__(self, rng, pairs, account=ACCOUNT, json_body=None, own_hash=False):
        """With `own_hash`, the callback is a form whose URL has the body's hash in the user's own query."""
        self.base = rng.choice(PUBLIC_URLS)
        query = rng.choice(QUERIES)
        self.account = account
        self.pairs = pairs
        self.json_body = json_body
        if json_body is None:
            self.body = encoded(rng, pairs)
        else:
            self.body = json_body
        if own_hash or json_body is not None:
            parameters = [query.removeprefix("?")] if query else []
            # Twilio appends its parameter; the user's own may be anywhere.
            at = rng.randint(0, len(parameters)) if own_hash else len(parameters)
            parameters.insert(at, f"bodySHA256={hashlib.sha256(self.body).hexdigest()}")
            query = "?" + "&".join(parameters)
        self.target = "/message-status" + query
        self.parameters = Parameters()
        for name, value in pairs:
            self.parameters.setdefault(name, []).append(value)

    @property
    def url(self):
        return self.base + self.target

    def is_for_node(self, rng):
        return self.account == ACCOUNT and rng.random() < 0.25

    def signed(self, rng, node_signature=None):
        token, algorithm = TOKEN, None
        url = self.url
        if self.account == OTHER_ACCOUNT:
            token, algorithm = rng.choice([(OTHER_TOKEN, None), (SHARED_KEY, "HMAC_SHA256")])
        elif node_signature is None:
            token = rng.choice([TOKEN, TOKEN, SECONDARY_TOKEN])
            if self.base == PUBLIC_URLS[0] and rng.random() < 0.2:
                url = with_port(url)
        signature = node_signature or RequestValidator(token).compute_signature(
            url, self.parameters, algorithm
        )
        kind = "application/json" if self.json_body is not None else FORM
        return Callback(
            target=self.target,
            url=url,
            content_type=kind + rng.choice(["", "; charset=utf-8"]),
            body=self.body,
            signature=signature,
            settings=SHARED_KEY_SETTINGS if algorithm else None,
            idempotency_token=f"{rng.getrandbits(128):032x}",
        )


def with_port(url):
    return add_port(urlparse(url))


def drafts_of_message(rng, number):
    account = OTHER_ACCOUNT if rng.random() < 0.2 else ACCOUNT
    sid = rng.choice(["SM", "SM", "SM", "MM"]) + f"{number:032x}"
    if rng.random() < 0.02:
        sid = rng.choice(["odd sid & more", "SM🙂", "x" * 300]) + str(number)
    for status in rng.sample(STATUSES, rng.randint(1, 4)):
        pairs = status_pairs(rng, account, sid, status)
        yield Draft(rng, pairs, account, own_hash=rng.random() < 0.1)
    if rng.random() < 0.2:
        yield Draft(rng, [], account, json_of_message(rng, account, sid))
    if rng.random() < 0.02:
        yield Draft(rng, [], account, filled_up(account, sid))
        yield Draft(rng, long_pairs(rng, account, sid), account)


def json_of_message(rng, account, sid):
    """A JSON object or a batch; an array names no account, so every token is tried."""
    one = {"AccountSid": account, "MessageSid": sid, "text": rng.choice(ODD_VALUES)}
    batch = [{"data": {"accountSid": account, "messageSid": sid, "tags": {"": None}}}] * 3
    shape = one if rng.random() < 0.6 else {**one, "data": batch, "nested": {"AccountSid": "AC1"}}
    return json.dumps(
        shape,
        ensure_ascii=rng.random() < 0.5,
        indent=rng.choice([None, 1]),
        separators=rng.choice([None, (",", ":")]),
    ).encode()


def filled_up(account, sid):
    """A JSON body of exactly the maximum size."""
    body = {"AccountSid": account, "MessageSid": sid, "text": ""}
    body["text"] = "x" * (JSON_BYTES_MAX - len(json.dumps(body)))
    return json.dumps(body).encode()


def long_pairs(rng, account, sid):
    """A form with long values, a repeated name, and blank and bare names."""
    values = [str(number % 40) for number in range(200)] + [""] * 3
    rng.shuffle(values)
    pairs = [("MessageSid", sid), ("AccountSid", account), ("MessageStatus", "sent")]
    pairs += [("MediaUrl", value) for value in values]
    # Percent-encoded it is three times as long.
    return pairs + [("Body", "é+ &=%" * 1_000), ("Long", "y" * 20_000), ("", ""), ("Blank", "")]


def status_pairs(rng, account, sid, status):
    to = rng.choice(["+15558675310", "whatsapp:+15558675310", "rcs:+15558675310"])
    pairs = [
        ("SmsSid", sid),
        ("SmsStatus", status),
        ("MessageStatus", status if rng.random() > 0.02 else "teleported"),
        ("To", to),
        ("MessageSid", sid),
        ("AccountSid", account),
        ("From", rng.choice(["+15017250604", "12345", "Sender & Sons"])),
        ("ApiVersion", "2010-04-01"),
    ]
    if status in ("failed", "undelivered"):
        pairs.append(("ErrorCode", rng.choice(["30003", "30007", "63016", "", "oops"])))
    if status in ("delivered", "undelivered"):
        pairs.append(("RawDlrDoneDate", rng.choice(["2511160837", "2511160901"])))
    for _ in range(rng.choice([0, 0, 1, 2])):
        name = rng.choice(ODD_NAMES)
        values = rng.sample(ODD_VALUES, rng.choice([1, 1, 3])) if rng.random() < 0.9 else ["same"] * 3
        pairs += [(name, value) for value in values]
    rng.shuffle(pairs)
    return pairs


def encoded(rng, pairs):
    """A form in one of several equivalent encodings."""
    plus = lambda text: quote_plus(text, safe="")
    twenty = lambda text: quote(text, safe="")
    lower = lambda text: "".join(
        part if at == 0 else "%" + part[:2].lower() + part[2:]
        for at, part in enumerate(twenty(text).split("%"))
    )
    bare = lambda text: quote_plus(text, safe=":/?@!$'()*,;[]{}|^`\"<>\\")
    encode = rng.choice([plus, plus, twenty, lower, bare])
    return "&".join(f"{encode(name)}={encode(value)}" for name, value in pairs).encode()


def usual_draft(rng, sid):
    return Draft(rng, status_pairs(rng, ACCOUNT, sid, rng.choice(STATUSES)))


def changed(callback, **changes):
    return Callback(**{**vars(callback), **changes})


def body_changed(rng, sid):
    """Changes one letter of the API version, so that the account stays the same."""
    callback = usual_draft(rng, sid).signed(rng)
    digit = rng.choice("3456789")
    body = callback.body.replace(b"2010-04-01", f"2010-04-0{digit}".encode())
    assert body != callback.body
    return changed(callback, body=body)


def query_changed(rng, sid):
    callback = usual_draft(rng, sid).signed(rng)
    target = callback.target + ("&" if "?" in callback.target else "?")
    return changed(callback, target=target + rng.choice(["", "a=1", "rc=5"]))


def json_changed(rng, sid):
    """A JSON body under the hash and the signature of another, or one without a body."""
    callback = Draft(rng, [], ACCOUNT, json_of_message(rng, ACCOUNT, sid)).signed(rng)
    other = callback.body.replace(sid.encode(), sid[:-1].encode() + b"g")
    return changed(callback, body=rng.choice([other, callback.body + b" ", b"[]", b""]))


def signature_changed(rng, sid):
    callback = usual_draft(rng, sid).signed(rng)
    at = rng.randrange(26)  # of the 27th character two bits are padding
    letters = (string.ascii_letters + string.digits).replace(callback.signature[at], "")
    signature = callback.signature
    return changed(callback, signature=signature[:at] + rng.choice(letters) + signature[at + 1 :])


def token_changed(rng, sid):
    draft = usual_draft(rng, sid)
    token = rng.choice([OTHER_TOKEN, SHARED_KEY, TOKEN.upper(), ""])
    signature = RequestValidator(token).compute_signature(draft.url, draft.parameters)
    return changed(draft.signed(rng), signature=signature)


def parameter_added(rng, sid):
    callback = usual_draft(rng, sid).signed(rng)
    return changed(callback, body=callback.body + rng.choice([b"&Injected=1", b"&Body2=x", b"&a"]))


def node_signer(program, modules):
    """Signs drafts with Node's SDK, in one run of it."""

    def sign(drafts):
        requests = [
            {"token": TOKEN, "url": draft.url, "parameters": draft.parameters} for draft in drafts
        ]
        answer = subprocess.run(
            ["node", program, modules],
            input=json.dumps(requests).encode(),
            stdout=subprocess.PIPE,
            check=True,
            timeout=60,
        )
        return json.loads(answer.stdout)

    return sign
