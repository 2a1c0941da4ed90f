# SPDX-License-Identifier: BSD-2-Clause
"""What a user sees of a verdict: status, variables (through %%ECHO%%)."""

IDENTITY = ("tag directory agent keyid label created expires nonce "
            "components").split()

STATUS = {"malformed": 400, "unsigned": 403, "invalid": 403, "replayed": 429,
          "unknown": 403, "unavailable": 503, "limited": 429, "denied": 403}

# reason -> (outcome, class); the documented table
REASONS = {
    "ok": ("verified", None),
    "denied-by-rule": ("verified", "denied"),
    "no-signature": ("unsigned", "unsigned"),
    "no-served-tag": ("unsigned", "unsigned"),
    "nonce-replayed": ("invalid", "replayed"),
    "forgery-limited": ("unverified", "limited"),
    **dict.fromkeys((
        "signature-agent-typed", "signature-agent-absent",
        "agent-not-allowed", "key-unknown"), ("unverified", "unknown")),
    **dict.fromkeys((
        "directory-unavailable", "discovery-limit", "too-many-waiting",
        "nonce-store-full", "nonce-store-cold", "nonce-store-unavailable",
        "body-unavailable", "out-of-memory"), ("unverified", "unavailable")),
    **dict.fromkeys((
        "signature-input-unreadable", "signature-input-keyid-case",
        "signature-value-unreadable", "field-too-large",
        "too-many-signatures", "too-many-components", "duplicate-label",
        "bad-component", "duplicate-component", "signature-agent-unparsable",
        "signature-agent-unquoted"),
        ("invalid", "malformed")),
    **dict.fromkeys((
        "missing-component", "bad-component-value",
        "signature-base-too-large", "target-not-covered",
        "component-not-covered", "missing-fields", "nonce-missing",
        "nonce-not-challenged", "challenge-expired",
        "clock-ahead", "expired", "expires-not-after-created",
        "lifetime-too-long", "alg-mismatch", "alg-not-allowed", "key-expired",
        "key-not-yet-valid", "bad-signature", "visa-sample-form",
        "authority-not-served",
        "scheme-mismatch", "signature-agent-ambiguous-member",
        "signature-agent-member-missing", "signature-agent-not-https",
        "content-digest-unreadable", "content-digest-mismatch",
        "body-link-unreadable", "body-link-too-large", "body-link-missing",
        "body-link-mismatch"),
        ("invalid", "invalid")),
}


def default_status(reason):
    return STATUS.get(REASONS[reason][1], 200)


def seen(response):
    """(reason, decision) as echoed."""
    return response.header("X-reason"), response.header("X-decision")


def expect(response, reason, status=None, decision=None):
    """Asserts the whole of a verdict, as the location 'web_bot_auth on' gives
    it unless status and decision say otherwise."""
    outcome = REASONS[reason][0]
    if status is None:
        status = default_status(reason)
    if decision is None:
        decision = "allow" if reason == "ok" else "deny"
    got = (response.status, response.header("X-reason"),
           response.header("X-result"), response.header("X-decision"))
    assert got == (status, reason, outcome, decision), response
    if outcome == "verified":
        assert response.header("X-tag") and response.header("X-keyid") \
            and response.header("X-directory"), response
    else:
        leaked = [v for v in IDENTITY if response.header("X-" + v)]
        assert not leaked, response
