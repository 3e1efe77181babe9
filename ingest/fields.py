"""The fields of a deal that a file can fill: what each means, its form, and how headers call it.

One declaration for the mapping, for guessing one, for the template and for docs/files.md.
"""

import enum
import re
import unicodedata
from typing import Final, NamedTuple


class Kind(enum.Enum):
    """The form of a field's value."""

    TEXT = "text"
    AMOUNT = "amount"
    REVISION = "whole number, date or instant"
    DATE = "date"
    INSTANT = "instant with its offset"
    STATUS = "open, won, lost or cancelled"
    CURRENCY = "ISO 4217 code"
    COUNTRY = "two letters"


class Field(NamedTuple):
    """A canonical field. `headers`: what such a column is called, best known first."""

    name: str
    kind: Kind
    meaning: str
    example: str
    headers: tuple[str, ...]
    is_required: bool = False


FIELDS: Final = (
    Field(
        "key",
        Kind.TEXT,
        "The source's own id of the deal. The same id is the same deal.",
        "SO-1001",
        (
            *("order number", "order no", "sales order number", "order id", "order", "deal number"),
            *("deal id", "deal", "opportunity id", "opportunity", "id", "number", "reference"),
            *(
                "auftragsnummer",
                "auftragsnr",
                "auftrags nr",
                "auftrag",
                "belegnummer",
                "bestellnummer",
                "nummer",
            ),
            *("numero de commande", "commande", "numero de pedido", "pedido", "ordine"),
            *("ordernummer", "bestelling"),
        ),
        is_required=True,
    ),
    Field(
        "revision",
        Kind.REVISION,
        "What orders the states of one deal: the highest counts. A column with the date or instant "
        "of the last change will do.",
        "1",
        (
            *("revision", "revision number", "version", "version number", "rev", "row version"),
            *("versie", "versione", "revisionsnummer"),
        ),
        is_required=True,
    ),
    Field(
        "changed_on",
        Kind.DATE,
        "The business date of this state of the deal.",
        "2014-03-31",
        (
            *("changed on", "modified date", "last modified date", "last modified", "modified"),
            *("modified on", "updated", "updated on", "updated at", "last updated", "change date"),
            *("geandert", "geandert am", "anderungsdatum", "letzte anderung", "aktualisiert am"),
            *("modifie le", "date de modification", "fecha de modificacion", "data modifica"),
            "gewijzigd op",
        ),
        is_required=True,
    ),
    Field(
        "status",
        Kind.STATUS,
        "Where the deal stands. Only won deals are credited; cancelled takes the credit back.",
        "won",
        (
            *("status", "state", "deal status", "order status", "stage status", "zustand"),
            *("auftragsstatus", "statut", "etat", "estado", "stato"),
        ),
        is_required=True,
    ),
    Field(
        "amount",
        Kind.AMOUNT,
        "What the deal is worth. A won deal needs it.",
        "32184.03",
        (
            *(
                "amount",
                "net amount",
                "subtotal",
                "sub total",
                "deal amount",
                "order amount",
                "net",
            ),
            *("value", "deal value", "total", "revenue", "acv", "tcv", "betrag", "nettobetrag"),
            *("netto", "nettowert", "auftragswert", "summe", "umsatz", "montant", "montant ht"),
            *("importe", "importo", "bedrag"),
        ),
    ),
    Field(
        "currency",
        Kind.CURRENCY,
        "The currency of the amount. A won deal needs it.",
        "USD",
        ("currency", "currency code", "iso currency", "wahrung", "devise", "moneda", "valuta"),
    ),
    Field(
        "closed_on",
        Kind.DATE,
        "The date on which the deal was won or lost. A won deal needs it, or closed_at.",
        "2014-03-31",
        (
            *("closed on", "close date", "closed date", "closing date", "won on", "won date"),
            *("order date", "date closed", "booking date", "date", "abschlussdatum"),
            *("gewonnen am", "auftragsdatum", "bestelldatum", "belegdatum", "datum", "date de"),
            *("date de commande", "date de cloture", "fecha", "fecha de cierre", "data"),
            "sluitingsdatum",
        ),
    ),
    Field(
        "owner_key",
        Kind.TEXT,
        "The source's own key of the person whose deal it is. Without one its credit is held.",
        "279",
        (
            *(
                "owner key",
                "owner",
                "owner id",
                "sales person id",
                "salesperson id",
                "sales person",
            ),
            *("salesperson", "sales rep", "rep", "rep id", "seller", "seller id", "account owner"),
            *("opportunity owner", "verkaufer", "vertreter", "vertriebsmitarbeiter", "besitzer"),
            *("verantwortlicher", "vendeur", "commercial", "vendedor", "venditore", "verkoper"),
        ),
    ),
    Field(
        "name",
        Kind.TEXT,
        "What people call the deal.",
        "Bikes for spring",
        (
            *("name", "deal name", "opportunity name", "title", "description", "subject"),
            *("bezeichnung", "titel", "beschreibung", "nom", "nombre", "nome", "naam"),
        ),
    ),
    Field(
        "customer.key",
        Kind.TEXT,
        "The source's own id of the customer.",
        "29825",
        (
            *("customer key", "customer id", "customer number", "customer no", "account id"),
            *(
                "account number",
                "client id",
                "company id",
                "kundennummer",
                "kundennr",
                "kunden nr",
                "kunden id",
            ),
            *("numero client", "codigo cliente", "codice cliente", "klantnummer"),
        ),
    ),
    Field(
        "customer.name",
        Kind.TEXT,
        "What the customer is called. Needs customer.key.",
        "José Müller GmbH",
        (
            *("customer name", "customer", "account name", "account", "client", "company"),
            *("kunde", "kundenname", "firma", "cliente", "klant"),
        ),
    ),
    Field(
        "customer.country",
        Kind.COUNTRY,
        "The customer's country.",
        "DE",
        ("customer country", "country", "country code", "land", "pays", "pais", "paese"),
    ),
    Field(
        "customer.industry",
        Kind.TEXT,
        "The customer's industry.",
        "Retail",
        ("customer industry", "industry", "branche", "secteur", "sector", "settore"),
    ),
    Field(
        "channel",
        Kind.TEXT,
        "How it was sold. A rule may exclude a channel.",
        "seller",
        ("channel", "sales channel", "kanal", "vertriebsweg", "canal", "canale", "kanaal"),
    ),
    Field(
        "territory_key",
        Kind.TEXT,
        "The source's own key of the territory.",
        "5",
        (
            *("territory key", "territory id", "territory", "region", "sales territory", "gebiet"),
            *("vertriebsgebiet", "territoire", "territorio", "regio"),
        ),
    ),
    Field(
        "type",
        Kind.TEXT,
        "What kind of deal it is.",
        "new",
        ("type", "deal type", "order type", "art", "typ", "auftragsart", "tipo"),
    ),
    Field(
        "stage",
        Kind.TEXT,
        "The sales stage of an open deal.",
        "Proposal",
        ("stage", "sales stage", "deal stage", "phase", "verkaufsphase", "etape", "etapa", "fase"),
    ),
    Field(
        "stage_entered_on",
        Kind.DATE,
        "Since when the deal is in this stage.",
        "2014-03-01",
        ("stage entered on", "stage since", "stage change date", "last stage change date"),
    ),
    Field(
        "expected_close_on",
        Kind.DATE,
        "When an open deal is expected to close.",
        "2014-05-31",
        ("expected close on", "expected close date", "expected close", "erwarteter abschluss"),
    ),
    Field(
        "changed_at",
        Kind.INSTANT,
        "The source's instant of this state.",
        "2014-03-31T17:30:00Z",
        ("changed at", "last modified at", "modified at", "system modstamp"),
    ),
    Field(
        "closed_at",
        Kind.INSTANT,
        "The source's instant at which the deal was won or lost.",
        "2014-03-31T17:30:00Z",
        ("closed at", "won at"),
    ),
    Field(
        "deal_id",
        Kind.TEXT,
        "'source:key' of the source that opened the deal; only where this file adds to another "
        "source's deals.",
        "crm:SO-1001",
        ("paceboard deal id",),
    ),
    Field(
        "source_url",
        Kind.TEXT,
        "A link to the record in the source.",
        "https://crm.example/SO-1001",
        ("source url", "url", "link"),
    ),
)
BY_NAME: Final = {field.name: field for field in FIELDS}


def plain(header: str) -> str:
    """A header in lower case, without accents and signs: "SalesOrderNumber" and "Auftrags-Nr." """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", header)
    folded = unicodedata.normalize("NFKD", spaced.replace("ß", "ss")).casefold()
    letters = "".join(c if c.isalnum() else " " for c in folded if not unicodedata.combining(c))
    return " ".join(letters.split())
