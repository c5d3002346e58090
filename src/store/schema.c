/* The tables, step by step: step n brings schema n-1 to n. A step that has shipped never changes;
 * tests/store keeps databases of each version and brings them all forward. */
#include "base/err.h"
#include "store/db.h"

#define ID_ "BLOB NOT NULL CHECK(length("
/* A column that holds an id, a digest. */
#define ID(name)     name " " ID_ name ")=16)"
#define DIGEST(name) name " " ID_ name ")=32)"
/* Rows of these tables stay as they were written (5). */
#define FIXED(table)                                                                               \
    "CREATE TRIGGER " table "_fixed BEFORE UPDATE ON " table " BEGIN SELECT RAISE(ABORT,'" table   \
    " is append-only'); END;"
#define KEPT(table)                                                                                \
    "CREATE TRIGGER " table "_kept BEFORE DELETE ON " table " BEGIN SELECT RAISE(ABORT,'" table    \
    " is append-only'); END;"

/* clang-format off */
static const char step1[] =
    "CREATE TABLE watchlists(" ID("id") " PRIMARY KEY," ID("deployment") ", name TEXT NOT NULL,"
    DIGEST("digest") ", composed_ns INTEGER NOT NULL, erase_after_ns INTEGER NOT NULL, vault "
    "INTEGER NOT NULL) STRICT;"
    "CREATE INDEX watchlists_due ON watchlists(erase_after_ns);"
    "CREATE TABLE persons(" ID("id")
    " PRIMARY KEY, nominal TEXT NOT NULL, name TEXT NOT NULL, notes TEXT NOT NULL, "
    "created_ns INTEGER NOT NULL) STRICT;"
    "CREATE TABLE entries(" ID("id") " PRIMARY KEY," ID("watchlist")
    " REFERENCES watchlists(id)," ID("person")
    " REFERENCES persons(id), category TEXT NOT NULL, reason TEXT NOT NULL, "
    "legal_basis TEXT NOT NULL, source TEXT NOT NULL, approver TEXT NOT NULL, "
    "image_date_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL, erase_after_ns "
    "INTEGER NOT NULL, nominal_until_ns INTEGER NOT NULL, added_ns INTEGER NOT "
    "NULL, flags INTEGER NOT NULL, key_ref INTEGER NOT NULL) STRICT;"
    "CREATE INDEX entries_list ON entries(watchlist,id);"
    "CREATE INDEX entries_person ON entries(person);"
    "CREATE INDEX entries_due ON entries(erase_after_ns);"
    "CREATE UNIQUE INDEX entries_key ON entries(key_ref);"
    "CREATE TABLE entry_blobs(" ID("owner")
    " REFERENCES entries(id) ON DELETE CASCADE, part TEXT NOT NULL, seq INTEGER "
    "NOT NULL, schema INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY "
    "KEY(owner,part,seq)) STRICT;"
    "CREATE TABLE deployments(" ID("id")
    " PRIMARY KEY, name TEXT NOT NULL, purpose TEXT NOT NULL," DIGEST("authority")
    ", starts_ns INTEGER NOT NULL, ends_ns INTEGER NOT NULL, ended_ns INTEGER NOT "
    "NULL, erase_after_ns INTEGER NOT NULL, state INTEGER NOT NULL, vault INTEGER "
    "NOT NULL) STRICT;"
    "CREATE INDEX deployments_due ON deployments(erase_after_ns);"
    "CREATE TABLE alerts(" ID("id") " PRIMARY KEY," ID("deployment")
    " REFERENCES deployments(id)," ID("watchlist") "," ID("entry")
    ", camera TEXT NOT NULL, detail TEXT NOT NULL," DIGEST("model")
    ", similarity REAL NOT NULL, threshold REAL NOT NULL, margin REAL NOT NULL, "
    "at_ns INTEGER NOT NULL, raised_ns INTEGER NOT NULL, erase_after_ns INTEGER "
    "NOT NULL, state INTEGER NOT NULL, key_ref INTEGER NOT NULL) STRICT;"
    "CREATE INDEX alerts_time ON alerts(at_ns,id);"
    "CREATE INDEX alerts_deployment ON alerts(deployment,at_ns,id);"
    "CREATE INDEX alerts_due ON alerts(erase_after_ns);"
    "CREATE UNIQUE INDEX alerts_key ON alerts(key_ref);"
    "CREATE TABLE alert_blobs(" ID("owner")
    " REFERENCES alerts(id) ON DELETE CASCADE, part TEXT NOT NULL, seq INTEGER NOT "
    "NULL, schema INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY " "KEY(owner,part,seq)) STRICT;"
    "CREATE TABLE audit(seq INTEGER PRIMARY KEY, entry BLOB NOT NULL) STRICT;"
    "CREATE TABLE checkpoints(size INTEGER PRIMARY KEY, note BLOB NOT NULL) STRICT;"
    /* The note of a size may gain cosignatures; a size may not go or become another. */
    "CREATE TRIGGER checkpoints_fixed BEFORE UPDATE OF size ON checkpoints BEGIN "
    "SELECT RAISE(ABORT,'checkpoints keep their size');"
    " END;"
    KEPT("checkpoints") FIXED("audit") KEPT("audit");

static const char step2[] =
    "CREATE TABLE holds(" ID("alert")
    " PRIMARY KEY REFERENCES alerts(id) ON DELETE CASCADE, holder TEXT NOT NULL, "
    "reason TEXT NOT NULL, at_ns INTEGER NOT NULL, until_ns INTEGER NOT NULL) " "STRICT;"
    "CREATE TABLE adjudications(" ID("alert")
    " REFERENCES alerts(id) ON DELETE CASCADE, who TEXT NOT NULL, role TEXT NOT "
    "NULL, decision TEXT NOT NULL, factors TEXT NOT NULL, at_ns INTEGER NOT NULL, "
    "PRIMARY KEY(alert,who)) STRICT;"
    "CREATE TABLE outbox(id INTEGER PRIMARY KEY AUTOINCREMENT, sink TEXT NOT NULL, "
    "key TEXT NOT NULL, body BLOB NOT NULL, due_ns INTEGER NOT NULL, tries INTEGER "
    "NOT NULL, UNIQUE(sink,key)) STRICT;"
    "CREATE INDEX outbox_due ON outbox(due_ns,id);"
    "CREATE INDEX outbox_key ON outbox(key);"
    "CREATE TABLE users(name TEXT PRIMARY KEY, roles INTEGER NOT NULL, "
    "training_until_ns INTEGER NOT NULL, created_ns INTEGER NOT NULL, disabled "
    "INTEGER NOT NULL, failures INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;"
    "CREATE TABLE setup(one INTEGER PRIMARY KEY CHECK(one=1)," DIGEST("digest") ") STRICT;"
    "CREATE TABLE documents(seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, at_ns "
    "INTEGER NOT NULL," DIGEST("chain") ", body BLOB NOT NULL) STRICT;"
    "CREATE TABLE certificates(" ID("id")
    " PRIMARY KEY, class_name TEXT NOT NULL, reason TEXT NOT NULL, rule TEXT NOT "
    "NULL, by_whom TEXT NOT NULL, at_ns INTEGER NOT NULL, subjects INTEGER NOT "
    "NULL, rows INTEGER NOT NULL, blobs INTEGER NOT NULL, blob_bytes INTEGER NOT "
    "NULL, keys INTEGER NOT NULL, held INTEGER NOT NULL," DIGEST("what") "," DIGEST("content")
    ", wal_truncated INTEGER NOT NULL, pages_free INTEGER NOT NULL) STRICT;"
    "CREATE INDEX certificates_time ON certificates(at_ns);"
    "CREATE TABLE nominals(hash BLOB NOT NULL, watchlist BLOB NOT NULL, entry BLOB "
    "NOT NULL, category TEXT NOT NULL, from_ns INTEGER NOT NULL, to_ns INTEGER NOT "
    "NULL, until_ns INTEGER NOT NULL, PRIMARY KEY(hash,entry)) STRICT;"
    "CREATE INDEX nominals_entry ON nominals(entry);"
    "CREATE INDEX nominals_due ON nominals(until_ns);"
    "CREATE TABLE vals(name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;"
    FIXED("documents") KEPT("documents");

/* A person may take several steps with an alert: a verdict, an engagement, what came of it. */
static const char step3[] =
    "CREATE TABLE adjudications3(alert BLOB NOT NULL REFERENCES alerts(id) ON DELETE CASCADE,"
    " who TEXT NOT NULL, role TEXT NOT NULL, decision TEXT NOT NULL, factors TEXT NOT NULL,"
    " at_ns INTEGER NOT NULL, PRIMARY KEY(alert,who,role)) STRICT;"
    "INSERT INTO adjudications3 SELECT alert,who,role,decision,factors,at_ns FROM adjudications;"
    "DROP TABLE adjudications;"
    "ALTER TABLE adjudications3 RENAME TO adjudications;";
/* What a list is for, and what people did with its entries: added, approved, confirmed, renewed. */
static const char step4[] =
    "ALTER TABLE watchlists ADD COLUMN purpose TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE watchlists ADD COLUMN jurisdiction TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE entry_steps(entry BLOB NOT NULL REFERENCES entries(id) ON DELETE CASCADE,"
    " who TEXT NOT NULL, step TEXT NOT NULL, detail TEXT NOT NULL, at_ns INTEGER NOT NULL) STRICT;"
    "CREATE INDEX entry_steps_entry ON entry_steps(entry);";
/* What people did last is part of the row: any number of steps may follow. Approvals of schema 4 are
 * not taken over: somebody looks again. And what a list was when it was approved. */
#define TEXT0(name) "ALTER TABLE entries ADD COLUMN " name " TEXT NOT NULL DEFAULT '';"
#define INT0(name)  "ALTER TABLE entries ADD COLUMN " name " INTEGER NOT NULL DEFAULT 0;"
#define REAL0(name) "ALTER TABLE entries ADD COLUMN " name " REAL NOT NULL DEFAULT 0;"
#define ADDED(key)                                                                                 \
    "coalesce((SELECT json_extract(detail,'$." key "') FROM entry_steps s WHERE s.entry=entries.id" \
    " AND step='added' AND json_valid(detail)),'')"
static const char step5[] =
    TEXT0("added_by") TEXT0("officer") TEXT0("holding") TEXT0("report") TEXT0("risk")
    TEXT0("consent_ref") INT0("consent") INT0("renewed_ns") REAL0("quality") REAL0("quality_floor")
    TEXT0("quality_by") TEXT0("quality_reason") TEXT0("confirmed_for") TEXT0("confirmed_by")
    INT0("confirmed_ns") INT0("live")
    "UPDATE entries SET renewed_ns=added_ns, holding=" ADDED("holding") ", report=" ADDED("report")
    ", risk=" ADDED("risk") ", consent_ref=" ADDED("consent_ref") ", quality=0+" ADDED("quality")
    ", consent=CASE " ADDED("consent") " WHEN 'relative' THEN 1 WHEN 'guardian' THEN 2"
    " WHEN 'court' THEN 3 ELSE 0 END, added_by=coalesce((SELECT who FROM entry_steps s WHERE"
    " s.entry=entries.id AND step='added'),'');"
    "CREATE TABLE frozen(watchlist BLOB NOT NULL REFERENCES watchlists(id) ON DELETE CASCADE,"
    DIGEST("digest") ", PRIMARY KEY(watchlist,digest)) STRICT, WITHOUT ROWID;";
/* Lost and found animals: store_pet.h. */
static const char step6[] =
    "CREATE TABLE pet_vault(one INTEGER PRIMARY KEY CHECK(one=1), vault INTEGER NOT NULL) STRICT;"
    "CREATE TABLE pet_cards(" ID("id") " PRIMARY KEY," ID("merged_into")
    ", kind INTEGER NOT NULL, species INTEGER NOT NULL, size INTEGER NOT NULL, state INTEGER NOT NULL,"
    " has_place INTEGER NOT NULL, pictures INTEGER NOT NULL, lat REAL NOT NULL, lon REAL NOT NULL,"
    " at_ns INTEGER NOT NULL, created_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL,"
    " name TEXT NOT NULL, about TEXT NOT NULL, place TEXT NOT NULL, chip TEXT NOT NULL,"
    " source TEXT NOT NULL, ref TEXT NOT NULL," DIGEST("holder") ", key_ref INTEGER NOT NULL) STRICT;"
    "CREATE INDEX pet_cards_due ON pet_cards(expires_ns);"
    "CREATE UNIQUE INDEX pet_cards_key ON pet_cards(key_ref);"
    "CREATE UNIQUE INDEX pet_cards_ref ON pet_cards(source,ref) WHERE ref<>'';"
    "CREATE INDEX pet_cards_merged ON pet_cards(merged_into);"
    "CREATE TABLE pet_blobs(" ID("owner")
    " REFERENCES pet_cards(id) ON DELETE CASCADE, part TEXT NOT NULL, seq INTEGER NOT NULL,"
    " schema INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY(owner,part,seq)) STRICT;"
    "CREATE TABLE pet_looks(card BLOB NOT NULL REFERENCES pet_cards(id) ON DELETE CASCADE,"
    " seq INTEGER NOT NULL, look BLOB NOT NULL, PRIMARY KEY(card,seq)) STRICT;"
    "CREATE TABLE pet_refused(card BLOB NOT NULL REFERENCES pet_cards(id) ON DELETE CASCADE,"
    ID("other") ", PRIMARY KEY(card,other)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE pet_messages(card BLOB NOT NULL REFERENCES pet_cards(id) ON DELETE CASCADE,"
    " seq INTEGER NOT NULL, at_ns INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY(card,seq)) STRICT;";
/* Searches for missing persons: store_case.h. */
static const char step7[] =
    "CREATE TABLE cases(" ID("id") " PRIMARY KEY, jurisdiction TEXT NOT NULL, state INTEGER NOT NULL,"
    " flags INTEGER NOT NULL, opened_ns INTEGER NOT NULL, renewed_ns INTEGER NOT NULL,"
    " due_ns INTEGER NOT NULL, erase_after_ns INTEGER NOT NULL, vault INTEGER NOT NULL,"
    " key_ref INTEGER NOT NULL) STRICT;"
    "CREATE INDEX cases_due ON cases(erase_after_ns);"
    "CREATE UNIQUE INDEX cases_key ON cases(key_ref);"
    "CREATE TABLE case_blobs(" ID("owner")
    " REFERENCES cases(id) ON DELETE CASCADE, part TEXT NOT NULL, seq INTEGER NOT NULL,"
    " schema INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY(owner,part,seq)) STRICT;"
    "CREATE TABLE case_links(" ID("entry") " PRIMARY KEY,"
    " case_id BLOB NOT NULL REFERENCES cases(id) ON DELETE CASCADE) STRICT, WITHOUT ROWID;"
    "CREATE INDEX case_links_case ON case_links(case_id);"
    "CREATE INDEX alerts_entry ON alerts(entry);";
/* clang-format on */

static const char *const steps[VD_DB_SCHEMA] = {step1, step2, step3, step4, step5, step6, step7};

vd_status vd_db_migrate(sqlite3 *db, struct vd_err *err)
{
    int64_t at = 0;
    vd_status st = vd_db_number(db, "PRAGMA user_version", &at, err);
    while (!st && at < VD_DB_SCHEMA) {
        /* PRAGMA takes no parameters: one text for each version. */
        static const char *const stamp[VD_DB_SCHEMA] = {
            "PRAGMA application_id=1447380052; PRAGMA user_version=1",
            "PRAGMA user_version=2",
            "PRAGMA user_version=3",
            "PRAGMA user_version=4",
            "PRAGMA user_version=5",
            "PRAGMA user_version=6",
            "PRAGMA user_version=7",
        };
        st = vd_db_exec(db, "BEGIN IMMEDIATE", "begin a migration", err);
        if (!st)
            st = vd_db_exec(db, steps[at], "migrate the database", err);
        if (!st)
            st = vd_db_exec(db, stamp[at], "migrate the database", err);
        if (!st)
            st = vd_db_exec(db, "COMMIT", "migrate the database", err);
        if (st)
            sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
        at++;
    }
    return st;
}
