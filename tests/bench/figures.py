# SPDX-License-Identifier: MIT
"""figures.py - what was measured: series of numbers, and the rows of the table that they make."""
import operator
import statistics


def plain(value):
    """A number as people read it: three digits that matter, thousands apart."""
    size = abs(value)
    digits = 0 if size >= 100 or isinstance(value, int) else 1 if size >= 10 else 2
    return f"{value:,.{digits}f}"


class Series:
    """Repeated measurements of one thing."""

    def __init__(self, unit, values=()):
        self.unit, self.values = unit, list(values)

    def add(self, value):
        self.values.append(value)

    @property
    def median(self):
        return statistics.median(self.values)

    def __str__(self):
        return f"{plain(self.median)} {self.unit}".rstrip()

    def with_spread(self):
        if len(self.values) == 1:
            return str(self)
        return f"{self} ({plain(min(self.values))} to {plain(max(self.values))})"

    def as_json(self):
        return {"max": max(self.values), "median": self.median, "min": min(self.values), "n": len(self.values),
                "unit": self.unit}


def paired(unit, function, *columns):
    """A series of function(a, b, ...) over rounds: what a round has in common cancels."""
    return Series(unit, [function(*values) for values in zip(*(c.values for c in columns))])


class Goal:
    COMPARE = {"at least": operator.ge, "at most": operator.le}

    def __init__(self, how, limit, unit=""):
        self.how, self.limit, self.unit = how, limit, unit

    def is_met(self, value):
        return self.COMPARE[self.how](value, self.limit)

    def __str__(self):
        return f"{self.how} {self.limit:,} {self.unit}".rstrip()


class Row:
    """One line of the table: what was measured, what stood beside it, and the figure that the goal speaks of."""

    def __init__(self, key, what, measured, judged=None, beside=(), goal=None, judged_as=""):
        self.key, self.what, self.measured = key, what, measured
        self.judged, self.judged_as = judged, judged_as
        self.beside, self.goal = list(beside), goal # beside: (name, Series)

    @property
    def is_met(self):
        return None if self.goal is None else self.goal.is_met((self.judged or self.measured).median)

    def cells(self):
        against = [f"{self.judged.with_spread()} {self.judged_as}".rstrip()] if self.judged else []
        against += [f"{name} {series}" for name, series in self.beside]
        met = {None: "", True: "yes", False: "**no**"}[self.is_met]
        return [self.what, self.measured.with_spread(), "; ".join(against), str(self.goal or ""), met]

    def as_json(self):
        out = {"measured": self.measured.as_json(), "beside": {n: s.as_json() for n, s in self.beside}}
        if self.judged:
            out["judged"] = self.judged.as_json()
        if self.goal:
            out["goal"] = {"how": self.goal.how, "limit": self.goal.limit, "met": self.is_met, "unit": self.goal.unit}
        return out


class Table:
    """A table of its own, for what is no list of goals: columns by name, rows of (name, cells)."""

    def __init__(self, key, title, columns):
        self.key, self.title, self.columns, self.rows = key, title, columns, []

    def add(self, name, cells):
        """cells: a Series each, or a text that says why there is none."""
        self.rows.append((name, cells))

    def as_json(self):
        return {name: {c: s.as_json() if isinstance(s, Series) else s for c, s in zip(self.columns, cells)}
                for name, cells in self.rows}
