"""What each refusal means, and what to do: one place for the topic, the API and the CLI."""

from typing import Final

from schemas.messages import RefusalCode
from schemas.state import HoldReason

REMEDIES: Final[dict[RefusalCode, str]] = {
    RefusalCode.UNREADABLE: "Send the record's value as one UTF-8 JSON object.",
    RefusalCode.UNKNOWN_TYPE: (
        "Set the header ce_type to a type of schemas/generated/asyncapi.yaml."
    ),
    RefusalCode.BREAKS_CONTRACT: (
        "Mend the named field; the schema is in schemas/generated. Amounts are strings: '1.50'."
    ),
    RefusalCode.SPLITS_DO_NOT_SUM: "Send shares of role 'split' that sum to exactly 1.",
    RefusalCode.LINES_DO_NOT_SUM: "Send lines whose amounts sum to the deal's amount.",
    RefusalCode.WON_WITHOUT_DATE: "A won deal needs closed_on or closed_at.",
    RefusalCode.WON_WITHOUT_AMOUNT: "A won deal needs amount and currency.",
    RefusalCode.DATE_OUT_OF_RANGE: "Dates lie between the years 1990 and 2100.",
    RefusalCode.TOO_MANY_REVISIONS: "Send states, not one revision per keystroke; see limits.",
    RefusalCode.EQUAL_REVISION_CONFLICT: (
        "Two contents came under one revision; the one with the greater digest counts. Send a "
        "higher revision to say which is right."
    ),
    RefusalCode.TOO_LARGE: "Send fewer lines or attributes; the record is too large to publish.",
    RefusalCode.UNBOOKABLE: "The database would not take it. Report it: the record is kept whole.",
}

HOLDS: Final[dict[HoldReason, str]] = {
    HoldReason.NO_OWNER: "Name its owner, or splits, in the source.",
    HoldReason.UNKNOWN_PAYEE: "Add the key to the payee keys, or correct it in the source.",
    HoldReason.NO_PLAN: "Assign the payee to a plan on that date.",
    HoldReason.NO_QUOTA_PERIOD: "Add the period, or correct the closing date in the source.",
    HoldReason.NO_QUOTA: "Set the payee's quota.",
    HoldReason.UNKNOWN_CURRENCY: "Correct the currency in the source.",
    HoldReason.NO_EXCHANGE_RATE: "Add the exchange rate of that date.",
}
