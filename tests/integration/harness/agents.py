# SPDX-License-Identifier: BSD-2-Clause
"""The cast: agents with their keys, and the directories that know them.

Keys are new in each run.  An agent's request() makes a signed request; any
field of signer.Sig and the request itself can be given."""

import dataclasses

from .signer import AUTO, Key, Request, Sig, jwks, sign

MASTERCARD_URL = "https://agentpay-key-directory.mastercard.com/"
BOT_URL = "https://bot.test"

VISA_KEY, MASTERCARD_KEY, BOT_KEY, LISTED_KEY = (Key() for _ in range(4))
STRANGER_KEY = Key()        # in nobody's directory

DIRECTORIES = """\
web_bot_auth_directory visa {
    url file:%%DIR%%/keys/visa.json;
    profile tap;
}
web_bot_auth_directory mastercard {
    url file:%%DIR%%/keys/mastercard.json;
    profile agent-pay;
    agent https://agentpay-key-directory.mastercard.com/;
}
web_bot_auth_directory bots {
    url file:%%DIR%%/keys/bots.json;
    profile web-bot-auth;
    agent https://bot.test;
}
web_bot_auth_directory listed {
    url file:%%DIR%%/keys/listed.json;
    profile web-bot-auth;
}
"""


def key_files():
    return {
        "keys/visa.json": jwks(VISA_KEY.jwk(kid="visa-1")),
        "keys/mastercard.json": jwks(MASTERCARD_KEY),
        "keys/bots.json": jwks(BOT_KEY),
        "keys/listed.json": jwks(LISTED_KEY),
    }


@dataclasses.dataclass
class Agent:
    key: Key
    tag: str
    components: tuple
    keyid: object = AUTO
    signature_agent: str = None

    def sig(self, **over):
        usual = {"key": self.key, "tag": self.tag, "keyid": self.keyid,
                 "components": self.components}
        return Sig(**{**usual, **over})

    def request(self, target="/", method="GET", host="shop.test",
                scheme="http", headers=(), body=None, **over):
        request = Request(method, target, host, scheme, list(headers), body)
        if self.signature_agent:
            request = request.with_headers(
                ("Signature-Agent", self.signature_agent))
        return sign(request, self.sig(**over))


TARGET = ("@authority", "@path")

BROWSER = Agent(VISA_KEY, "agent-browser-auth", TARGET, "visa-1")
PAYER = Agent(VISA_KEY, "agent-payer-auth", TARGET, "visa-1")
MASTERCARD = Agent(MASTERCARD_KEY, "agent-pay-auth",
                   TARGET + ("signature-agent",),
                   signature_agent='"%s"' % MASTERCARD_URL)
BOT = Agent(BOT_KEY, "web-bot-auth",
            ("@authority", 'signature-agent;key="sig1"'),
            signature_agent='sig1="%s"' % BOT_URL)
LISTED = Agent(LISTED_KEY, "web-bot-auth", ("@authority",))
STRANGER = Agent(STRANGER_KEY, "agent-browser-auth", TARGET)
