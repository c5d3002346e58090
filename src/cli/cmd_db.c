/* vedette db backup|restore|verify. */
#include <stdio.h>

#include "cli/cli.h"
#include "store/store.h"

static const struct vd_opt options[] = {VD_OPTS_JSON, VD_OPTS_END};

static int done(const char *what, const char *from, const char *to)
{
    char a[512], b[512];
    if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:s, s:o, s:o}", "type", "db", "done", what, "from",
                               vd_json_text(from), "to", vd_json_text(to)));
    else
        printf("%s: %s -> %s\n", what, vd_cli_printable(from, a, sizeof a),
               vd_cli_printable(to, b, sizeof b));
    return VD_EXIT_OK;
}

static int run_backup(int argc, char **args)
{
    struct vd_err err = {0};
    (void)argc;
    vd_status st = vd_store_backup(args[0], args[1], &err);
    return st ? vd_cli_fail_err(st, &err) : done("backup", args[0], args[1]);
}

static int run_restore(int argc, char **args)
{
    struct vd_err err = {0};
    (void)argc;
    vd_status st = vd_store_restore(args[0], args[1], &err);
    return st ? vd_cli_fail_err(st, &err) : done("restore", args[0], args[1]);
}

static int run_verify(int argc, char **args)
{
    struct vd_store_report r;
    struct vd_err err = {0};
    char buf[512];
    (void)argc;
    vd_status st = vd_store_verify(args[0], &r, &err);
    if (st && !(st == VD_E_FORMAT && r.schema))
        return vd_cli_fail_err(st, &err);
    if (vd_cli.json)
        vd_json_line(json_pack("{s:s, s:o, s:b, s:i, s:I, s:I, s:I, s:I, s:o}", "type", "db",
                               "path", vd_json_text(args[0]), "whole", (int)(r.problems == 0),
                               "schema", (int)r.schema, "tables", (json_int_t)r.tables, "rows",
                               (json_int_t)r.rows, "envelopes", (json_int_t)r.envelopes, "problems",
                               (json_int_t)r.problems, "first",
                               r.problems ? vd_json_text(r.first) : json_null()));
    else if (r.problems)
        printf("damaged: %llu problems; the first: %s\n", (unsigned long long)r.problems,
               vd_cli_printable(r.first, buf, sizeof buf));
    else
        printf("whole: schema %d, %llu rows in %llu tables, %llu sealed contents\n", (int)r.schema,
               (unsigned long long)r.rows, (unsigned long long)r.tables,
               (unsigned long long)r.envelopes);
    return r.problems ? VD_EXIT_REFUSED : VD_EXIT_OK;
}

const struct vd_verb vd_verb_db_backup = {
    .name = "db backup",
    .usage = "db backup STORE FILE [options]",
    .summary = "copy a store's database into a file, while it is in use",
    .about = "Copies the database of the directory STORE into the new file FILE (mode 0600), as it "
             "was at one moment. A running vedette goes on writing meanwhile.\n\n"
             "The keys stay where they are: from a backup alone nobody can see a face, and what is "
             "erased in the store cannot be read from its backups either.",
    .after = "Exit codes: 0 done, 1 no store, no room, or FILE is there already, 2 wrong command "
             "line.\n\nExample:\n  vedette db backup /var/lib/vedette backup-monday.db",
    .opts = options,
    .args_min = 2,
    .args_max = 2,
    .run = run_backup,
};

const struct vd_verb vd_verb_db_restore = {
    .name = "db restore",
    .usage = "db restore FILE STORE [options]",
    .summary = "put a backup in place of a database that was moved away",
    .about = "Verifies the backup FILE and copies it into the directory STORE. Nothing is "
             "overwritten: move a damaged vedette.db away first. The key file of STORE is left "
             "alone; contents erased since the backup stay unreadable, and a backup with fewer "
             "signed documents than the store has held is refused when it is used.",
    .after = "Exit codes: 0 done, 1 FILE is damaged, STORE has a database or is in use, 2 wrong "
             "command line.\n\nExample:\n  vedette db restore backup-monday.db /var/lib/vedette",
    .opts = options,
    .args_min = 2,
    .args_max = 2,
    .run = run_restore,
};

const struct vd_verb vd_verb_db_verify = {
    .name = "db verify",
    .usage = "db verify STORE|FILE [options]",
    .summary = "check a store or a backup, page by page",
    .about =
        "Reads every page of the database of a directory (also while it is in use) or of a "
        "backup file: its structure, rows without owners, gaps in the audit log, contents that "
        "are not sealed for their row. Changes nothing. Whether the audit log is true to its "
        "signed checkpoints is another question: docs/audit.md.",
    .after = "Exit codes: 0 whole, 1 could not be read, 2 wrong command line, 3 damaged.\n\n"
             "Example:\n  vedette db verify backup-monday.db",
    .opts = options,
    .args_min = 1,
    .args_max = 1,
    .run = run_verify,
};
