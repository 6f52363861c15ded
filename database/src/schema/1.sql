-- For other programs: the tasks as the registry has them. `changed_by` is 'argus' or who else has changed the
-- row, `synced_at` when argus last wrote it; times are milliseconds since the epoch.
CREATE TABLE tasks (
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT,
    uuid TEXT,
    checksum TEXT,
    metadata TEXT,
    script TEXT,
    input_schema TEXT,
    output_schema TEXT,
    enabled INTEGER NOT NULL DEFAULT 1,
    changed_by TEXT,
    changed_at INTEGER,
    synced_at INTEGER,
    PRIMARY KEY (source, name)
);

-- For other programs: every change of every collection. `seq` is the order in which they happened.
CREATE TABLE changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    cursor TEXT NOT NULL,
    at INTEGER NOT NULL,
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    before TEXT,
    after TEXT,
    evidence TEXT
);
CREATE INDEX changes_of_record ON changes (collection, id);
CREATE INDEX changes_at ON changes (at);
CREATE INDEX changes_cursor ON changes (cursor);

-- Per task and field the hash of what the registry had when argus last wrote the row: what tells a change
-- of somebody else's from one of the registry.
CREATE TABLE synced (
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    field TEXT NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (source, name, field)
) WITHOUT ROWID;

-- Per record the etag that it was last known with (NULL: it is gone) and its last change.
CREATE TABLE latest (
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    etag TEXT,
    seq INTEGER NOT NULL,
    PRIMARY KEY (collection, id)
) WITHOUT ROWID;
CREATE INDEX latest_seq ON latest (seq);

-- Per collection the place up to which its changes are in.
CREATE TABLE progress (
    collection TEXT PRIMARY KEY,
    epoch TEXT NOT NULL,
    revision INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

-- Who changes a row and is not argus changes `synced_at` not with it. The time is reckoned so that SQLite
-- before 3.42 can do it too: it runs in the other program.
CREATE TRIGGER tasks_changed_by_another
AFTER UPDATE OF source, name, version, uuid, checksum, metadata, script, input_schema, output_schema, enabled
ON tasks WHEN NEW.synced_at IS OLD.synced_at
BEGIN
    UPDATE tasks SET
        changed_by = CASE WHEN NEW.changed_by IS OLD.changed_by THEN 'other' ELSE NEW.changed_by END,
        changed_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE source = NEW.source AND name = NEW.name;
END;
CREATE TRIGGER tasks_added_by_another
AFTER INSERT ON tasks WHEN NEW.synced_at IS NULL
BEGIN
    UPDATE tasks SET
        changed_by = coalesce(NEW.changed_by, 'other'),
        changed_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE source = NEW.source AND name = NEW.name;
END;
