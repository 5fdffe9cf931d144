"""The people of the sample: customers, staff, what they write and say. All invented.

Every customer follows from a number alone, so a sample of any size keeps none of them in memory. Phone numbers come from the
ranges that the French regulator keeps for fiction, mail addresses from the domains kept for examples.
"""

from __future__ import annotations

from typing import Any, Final

FIRST_NAMES: Final = (
    "amelie",
    "bruno",
    "camille",
    "david",
    "elodie",
    "farid",
    "gaelle",
    "hugo",
    "ines",
    "jules",
    "karim",
    "lea",
    "marc",
    "nadia",
    "olivier",
    "paula",
    "quentin",
    "rosa",
    "sami",
    "theo",
    "ulysse",
    "valerie",
    "wanda",
    "yves",
    "zoe",
)
LAST_NAMES: Final = (
    "arnaud",
    "bernard",
    "colin",
    "dupont",
    "evrard",
    "faure",
    "garnier",
    "huet",
    "imbert",
    "joly",
    "klein",
    "lambert",
    "moreau",
    "noel",
    "olivier",
    "petit",
    "robin",
    "simon",
    "thomas",
    "vidal",
)
MAIL_DOMAINS: Final = ("example.org", "example.com", "example.net")
FICTION_RANGES: Final = ("+3363998", "+3319900", "+3326191", "+3335301", "+3346571", "+3353649")
STREETS: Final = ("rue des Lilas", "avenue Foch", "place du Marché", "rue de l'Église", "quai Saint-Michel", "chemin Vert")
TOWNS: Final = ("75011 Paris", "69003 Lyon", "33000 Bordeaux", "59000 Lille", "44000 Nantes", "67000 Strasbourg", "06000 Nice")

PHONE_LIMIT: Final = 10_000 * len(FICTION_RANGES)
"""Customers beyond this number have no phone: the ranges for fiction hold no more."""

STAFF: Final = {"customer_service": 40, "shipping": 12, "billing": 8, "technical": 14, "returns": 6, "sales": 10}
"""How many people each department has. Codes are the department's letter and a number."""

WORDS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "delivery": {
        "fr": (
            "Colis non reçu, commande {order}",
            "Le colis {order} est annoncé livré mais je ne l'ai pas",
            "Livraison en retard : commande {order}",
        ),
        "en": ("Parcel of order {order} not received", "Where is my delivery {order}?"),
    },
    "invoice": {
        "fr": ("Facture {order} : montant différent du devis", "Je n'ai pas reçu la facture {order}"),
        "en": ("Invoice {order} does not match the quote", "Please send invoice {order} again"),
    },
    "defect": {
        "fr": (
            "Appareil en panne après deux jours, commande {order}",
            "Pièce manquante dans le colis {order}",
            "La porte de l'armoire {order} ne ferme pas",
        ),
        "en": ("Appliance from order {order} stopped working", "A part is missing in {order}"),
    },
    "return": {
        "fr": ("Je souhaite retourner l'article {order}", "Remboursement du retour {order} toujours pas reçu"),
        "en": ("I want to return {order}", "Refund for {order} still missing"),
    },
    "order_change": {
        "fr": ("Changer l'adresse de livraison de {order}", "Ajouter un article à la commande {order}"),
        "en": ("Change the delivery address of {order}", "Add an item to order {order}"),
    },
    "information": {
        "fr": ("Délai de livraison pour une étagère ?", "Ouvrez-vous le samedi ?", "Garantie : combien de temps ?"),
        "en": ("How long does delivery take?", "Is the oak table in stock?"),
    },
    "quote": {
        "fr": ("Demande de devis pour une cuisine", "Devis {order} : quand aurai-je la réponse ?"),
        "en": ("Quote for a kitchen, please", "When will I get quote {order}?"),
    },
    "unknown": {"fr": ("Appel coupé", "Message incompréhensible"), "en": ("Call dropped",)},
}
"""What customers say, by reason and language."""

INTAKE: Final = {
    "delivery": "shipping",
    "invoice": "billing",
    "defect": "technical",
    "return": "returns",
    "order_change": "shipping",
}
"""Department that a reason goes to when the front cannot settle it; others go to sales."""


class Person:
    """A customer by number: identifiers, language, address and orders follow from it."""

    __slots__ = ("account", "email", "language", "number", "phone", "shared_phone")

    def __init__(self, number: int) -> None:
        self.number = number
        self.language = "en" if number % 6 == 5 else "fr"
        first = FIRST_NAMES[number * 7 % len(FIRST_NAMES)]
        last = LAST_NAMES[number * 3 % len(LAST_NAMES)]
        self.email = {"type": "email", "value": f"{first}.{last}{number}@{MAIL_DOMAINS[number % 3]}"}
        self.account = {"type": "account", "value": f"K{number:07d}"}
        self.shared_phone = number % 60 == 31
        """The phone is that of the customer before: a family's."""
        owner = number - 1 if self.shared_phone else number
        self.phone: dict[str, str] | None = None
        if owner < PHONE_LIMIT and number % 9 != 4:
            self.phone = {"type": "phone", "value": f"{FICTION_RANGES[owner // 10_000]}{owner % 10_000:04d}"}

    def identifier(self, channel: str) -> dict[str, str] | None:
        """Return the identifier a contact over the channel shows; None: it shows none."""
        if channel in {"phone", "sms", "ivr", "fax", "field_visit", "messaging"}:
            return self.phone
        if channel in {"email", "web_form", "chat", "app"}:
            return self.email
        if channel in {"letter", "counter"} and self.number % 3:
            return self.account
        return None

    def fact(self, key: str, order: str) -> dict[str, Any]:
        """Return a fact; its value is the same however often it is given."""
        n = self.number
        values = {
            "delivery_address": f"{n % 90 + 1} {STREETS[n % len(STREETS)]}, {TOWNS[n % len(TOWNS)]}",
            "order_number": order,
            "door_code": f"{n * 37 % 10_000:04d}A",
            "preferred_slot": "matin" if n % 2 else "après-midi",
            "serial_number": f"SN{n * 7919 % 10_000_000:07d}",
        }
        return {"key": key, "value": values[key]}
