"""What the sample shop sells, and to whom: 120 products and 2,000 customers.

The products are the same for every seed, so that a lesson can name one. Popularity falls as in
real trade: a few customers order very often, most of them seldom, and some never did.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from eventlab.orders.demand import START
from eventlab.orders.dice import Dice, heavy_tail
from eventlab.orders.domain import Customer, Product

CUSTOMERS = 2_000

_MOODS = (  # and what a mood costs, in percent of the plain thing
    ("GRUMPY", 100),
    ("SLEEPY", 90),
    ("BRAVE", 120),
    ("SHY", 85),
    ("NOISY", 70),
    ("POLITE", 110),
    ("HUNGRY", 95),
    ("DREAMY", 130),
    ("CLUMSY", 60),
    ("PROUD", 175),
)
_THINGS = (  # category, price in cent
    ("TEAPOT", "kitchen", 39_90),
    ("LAMP", "living", 59_00),
    ("UMBRELLA", "outdoor", 24_50),
    ("ARMCHAIR", "living", 349_00),
    ("NOTEBOOK", "paper", 6_90),
    ("BICYCLE", "outdoor", 599_00),
    ("SPOON", "kitchen", 3_50),
    ("RUG", "living", 129_00),
    ("PENCIL", "paper", 1_20),
    ("KETTLE", "kitchen", 44_90),
    ("TENT", "outdoor", 189_00),
    ("CLOCK", "living", 34_90),
)
_FIRST = (
    *("Ada", "Amélie", "Björn", "Carlos", "Chloé", "Dimitra", "Eleni", "Emil", "Félix", "Giulia"),
    *("Hanna", "Inês", "Jürgen", "Kateřina", "Lars", "Łukasz", "Marta", "Nuño", "Olga", "Pádraig"),
    *("Renée", "Søren", "Tomáš", "Ursula", "Viktor", "Wanda", "Yannis", "Zoë", "Ελένη", "Νίκος"),
)
_LAST = (
    *("Almeida", "Bianchi", "Çelik", "Dąbrowska", "Eriksen", "Fernández", "García", "Horváth"),
    *("Ivanova", "Janssen", "Keller", "Lefèvre", "Müller", "Nowak", "O'Brien", "Papadakis"),
    *("Quinn", "Rossi", "Schäfer", "Silva", "Tóth", "Urban", "Virtanen", "Weiß", "Žižek"),
)
_COUNTRIES = (
    ("DE",) * 6 + ("FR",) * 4 + ("ES", "IT", "NL") * 2 + ("AT", "BE", "FI", "GR", "IE", "PT")
)

_LOYALTY = heavy_tail(CUSTOMERS, softness=6)
_FASHION = heavy_tail(len(_MOODS) * len(_THINGS), softness=5)


def _product(mood: str, percent: int, thing: str, category: str, cents: int) -> Product:
    price = Decimal(cents * percent // 1000 * 10).scaleb(-2)  # whole ten cents
    return Product(f"{mood}-{thing}", f"{mood} {thing}".capitalize(), category, price)


PRODUCTS = tuple(_product(mood, percent, *thing) for mood, percent in _MOODS for thing in _THINGS)


def customers(seed: int) -> Iterator[Customer]:
    """Yield everyone who ever signed up, all of them before the first order."""
    dice = Dice(f"{seed} customers")
    for number in range(1, CUSTOMERS + 1):
        name = f"{dice.one_of(_FIRST)} {dice.one_of(_LAST)}"
        since = START - timedelta(minutes=dice.between(1, 1_500 * 24 * 60))
        yield Customer(_customer_id(number), name, dice.one_of(_COUNTRIES), since)


def a_customer_id(dice: Dice) -> str:
    """Return who orders next; most often C-00042. The step spreads the ranks over the ids."""
    return _customer_id((41 + dice.rank(_LOYALTY) * 1_237) % CUSTOMERS + 1)


def a_product(dice: Dice) -> Product:
    """Return what somebody wants; most often a GRUMPY-TEAPOT. The step mixes dear and cheap."""
    return PRODUCTS[dice.rank(_FASHION) * 7 % len(PRODUCTS)]


def _customer_id(number: int) -> str:
    return f"C-{number:05d}"
