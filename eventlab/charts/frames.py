"""What charts take out of a DataFrame: the columns they need, checked, as numpy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from eventlab.charts import groups, words
from eventlab.charts.groups import Array
from eventlab.errors import InvalidSetting, shown


def check(frame: object, chart: str, *columns: str, what: str = "table") -> pd.DataFrame:
    """Return the DataFrame if it has these columns, each once."""
    named = f"{', '.join(columns[:-1])} and {columns[-1]}"
    fix = f"Give charts.{chart} {'the columns' if what == 'table' else what} {named}."
    if not isinstance(frame, pd.DataFrame):
        raise InvalidSetting(
            f"charts.{chart} draws a DataFrame.",
            f"You gave {shown(frame)} of type {type(frame).__name__}.",
            fix,
        )
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise InvalidSetting(
            f"The {what} has no column {' and no column '.join(missing)}.",
            f"It has {_columns(frame)}.",
            fix,
        )
    for name in columns:
        if isinstance(frame[name], pd.DataFrame):
            raise InvalidSetting(
                f"The {what} has more than one column {name}.",
                f"It has {_columns(frame)}.",
                "Keep one: frame.loc[:, ~frame.columns.duplicated()].",
            )
    return frame


def _columns(frame: pd.DataFrame) -> str:
    names = [words.name(column) for column in frame.columns]
    more = [f"and {len(names) - 20:,} more"] if len(names) > 20 else []
    return ", ".join([*names[:20], *more]) or "none"


def times(frame: pd.DataFrame, name: str = "time") -> Array:
    """Return a column of moments as nanoseconds since 1970 in UTC."""
    column = frame[name]
    if not isinstance(column.dtype, pd.DatetimeTZDtype):
        raise InvalidSetting(
            f"Column {name} holds {column.dtype}, not moments with a time zone.",
            _first(column),
            f'Convert it: frame["{name}"] = {_conversion(column, name)}.',
        )
    _refuse(column, column.isna(), "has a row without a time", _without(name))
    found: Array = column.dt.as_unit("ns").astype("int64").to_numpy()
    return found


def numbers(frame: pd.DataFrame, name: str, least: float = 0) -> Array:
    """Return a column of numbers from `least` as floats, NaN where nothing is known."""
    column = frame[name]
    if column.isna().all():
        return np.full(len(column), np.nan)
    _numeric(column, name)
    values: Array = column.to_numpy(dtype=float, na_value=np.nan)
    _refuse(column, np.isinf(values), "is infinite somewhere", f'[frame["{name}"] < np.inf]')
    _refuse(column, values < least, "is negative somewhere", f'[frame["{name}"] >= 0]')
    return values


def wholes(frame: pd.DataFrame, name: str, least: int = 0, missing: int | None = None) -> Array:
    """Return a column of whole numbers from `least`; `missing`, if given, stands for NA."""
    column = frame[name]
    if column.dtype == "int64" and len(column) and column.to_numpy().min() >= least:
        return column.to_numpy()
    absent = column.isna()
    if missing is None:
        _refuse(column, absent, "has a row without a number", _without(name))
    elif absent.all():
        return np.full(len(column), missing)
    _numeric(column, name)
    if getattr(column.dtype, "kind", "O") == "f":
        parted = ((column % 1 != 0) & ~absent).to_numpy(dtype=bool)
        _refuse(column, parted, "has parts of a number", f'[frame["{name}"] % 1 == 0]')
    low = ((column < least) & ~absent).to_numpy(dtype=bool, na_value=False)
    _refuse(column, low, f"is below {least:,} somewhere", f'[frame["{name}"] >= {least}]')
    return column.fillna(missing or 0).to_numpy(dtype="int64")


def flags(frame: pd.DataFrame, name: str) -> Array:
    """Return a column of True and False."""
    column = frame[name]
    if not pd.api.types.is_bool_dtype(column.dtype) or column.isna().any():
        raise InvalidSetting(
            f"Column {name} holds {column.dtype}, not True and False.",
            _first(column),
            f'Convert it: frame["{name}"] = frame["{name}"].astype(bool).',
        )
    return column.to_numpy(dtype=bool)


def codes(frame: pd.DataFrame, name: str) -> tuple[Array, list[Any]]:
    """Return a column as numbers from 0 and the values they stand for; -1 for None and NaN."""
    column = frame[name]
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy(dtype="int64"), list(column.cat.categories)
    if column.dtype == "int64":
        places, whole = groups.codes(column.to_numpy())
        return places, whole.tolist()
    if _is_one(column):
        return np.zeros(len(column), "int64"), [column.iloc[0]]
    try:
        plain = column.dtype.kind == "O"  # NumPy's objects take half the time of pandas' text
        places, values = pd.factorize(column.to_numpy(dtype=object) if plain else column)
    except TypeError as error:
        raise InvalidSetting(
            f"Column {name} holds values that cannot be compared.",
            _first(column),
            f'Make them text: frame["{name}"] = frame["{name}"].astype(str).',
        ) from error
    return places, list(values)


def _is_one(column: pd.Series[Any]) -> bool:
    """Say whether all rows have the same text, as for one topic; a hash table takes longer."""
    first, values = column.iloc[0], column.to_numpy(dtype=object)
    if not isinstance(first, str | bytes) or values[-1] != first:
        return False
    return values.tolist().count(first) == len(values)  # a list looks first whether it is the same


def grouped(frame: pd.DataFrame, *names: str) -> tuple[list[tuple[Any, ...]], Array]:
    """Return the combinations that these columns have, sorted, and which of them each row is of."""
    found: list[tuple[Any, ...]] = [()]
    of = np.zeros(len(frame), "int64")
    for name in names:
        places, values = codes(frame, name)
        if places.min(initial=0) < 0:
            _refuse(frame[name], places < 0, "has a row without a value", _without(name))
        if len(found) == 1 and not isinstance(frame[name].dtype, pd.CategoricalDtype):
            found, of = [(*found[0], value) for value in values], places
            continue  # categories may be more than there are
        of, keys = pd.factorize(of * len(values) + places)
        pairs = (divmod(int(key), len(values)) for key in keys)
        found = [(*found[before], values[place]) for before, place in pairs]
    order = sorted(range(len(found)), key=lambda place: [_rank(value) for value in found[place]])
    if order == list(range(len(found))):
        return found, of
    return [found[place] for place in order], np.argsort(order)[of]


def _rank(value: Any) -> tuple[int, Any]:
    return (0, value) if isinstance(value, int | float | np.number) else (1, str(value))


def moments(nanoseconds: Any) -> pd.DatetimeIndex:
    """Return nanoseconds since 1970 as a column of a table has them."""
    return pd.DatetimeIndex(np.asarray(nanoseconds, "int64").view("M8[ns]")).tz_localize("UTC")


def _without(name: str) -> str:
    return f'.dropna(subset=["{name}"])'


def _numeric(column: pd.Series[Any], name: str) -> None:
    kind = getattr(column.dtype, "kind", "O")
    if kind in "iuf":
        return
    converted = f'pd.to_numeric(frame["{name}"])'
    if kind == "m":
        converted = f'frame["{name}"].dt.total_seconds()'
    raise InvalidSetting(
        f"Column {name} holds {column.dtype}, not numbers.",
        _first(column),
        f'Convert it: frame["{name}"] = {converted}.',
    )


def _conversion(column: pd.Series[Any], name: str) -> str:
    if column.dtype.kind == "M":
        return f'frame["{name}"].dt.tz_localize("UTC")'
    unit = 'unit="ms", ' if column.dtype.kind in "iuf" else ""
    return f'pd.to_datetime(frame["{name}"], {unit}utc=True)'


def _first(column: pd.Series[Any]) -> str:
    return f"Its first value is {shown(column.iloc[0])}."


def _refuse(column: pd.Series[Any], bad: Any, what: str, kept: str) -> None:
    places = np.flatnonzero(np.asarray(bad))
    if len(places):
        place = int(places[0])
        raise InvalidSetting(
            f"Column {column.name} {what}.",
            f"Row {place} has {shown(column.iloc[place])}, and {len(places) - 1:,} others are so.",
            f"Leave such rows out: frame = frame{kept}.",
        )


def in_time(times: Array) -> Array | None:
    """Return the order in which times rise, None where they do."""
    return np.argsort(times, kind="stable") if (times[1:] < times[:-1]).any() else None
