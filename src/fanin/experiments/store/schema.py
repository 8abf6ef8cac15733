"""The tables and views of a store's file; docs/store.md explains them to who queries it."""

from __future__ import annotations

APPLICATION_ID = 0x66616E69
"""SQLite's `PRAGMA application_id` of a store: "fani"."""

VERSION = 1
"""The format, in `PRAGMA user_version`; a change that older readers cannot read raises it."""

_NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"

# A run is one row, so it is there whole or not at all. Numbers that JSON lacks are strings in `curves`;
# the view gives infinities as SQLite's own and NaN as NULL, which SQLite cannot hold: `finite` tells.
STATEMENTS = (
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
    f"""
CREATE TABLE study (
    id      TEXT PRIMARY KEY NOT NULL,
    record  TEXT NOT NULL,                   -- JSON: builder, data, epochs, ...
    created TEXT NOT NULL DEFAULT ({_NOW})   -- UTC
)""",
    f"""
CREATE TABLE run (
    id       TEXT PRIMARY KEY NOT NULL,       -- hash of study, scheme, seed
    study    TEXT NOT NULL REFERENCES study (id),
    scheme   TEXT NOT NULL,
    seed     INTEGER NOT NULL,
    seconds  REAL,                            -- wall time
    finished TEXT NOT NULL DEFAULT ({_NOW}),  -- UTC
    versions TEXT NOT NULL,                   -- JSON: {{"keras": "3.15.0", ...}}
    curves   TEXT NOT NULL                    -- JSON: {{"loss": [one value an epoch], ...}}
)""",
    # Within one study it is in the order of rowid, which is the order of arrival.
    "CREATE INDEX run_of_study ON run (study)",
    """
CREATE VIEW curve AS
SELECT run.id AS run, study, scheme, seed, metric.key AS metric, epoch.key + 1 AS epoch,
    CASE WHEN epoch.type <> 'text' THEN epoch.value
         WHEN epoch.value = 'inf' THEN 9e999
         WHEN epoch.value = '-inf' THEN -9e999 END AS value,
    epoch.type <> 'text' AS finite
FROM run, json_each(run.curves) AS metric, json_each(metric.value) AS epoch""",
    """
CREATE VIEW final AS  -- each metric after its last epoch
SELECT run, study, scheme, seed, metric, max(epoch) AS epoch, value, finite
FROM curve GROUP BY run, metric""",
)
