/* A sink in memory that can be told to fail or to damage, keys from seeds, and a busy log. */
#ifndef VD_TEST_AUDIT_FAKE_H
#define VD_TEST_AUDIT_FAKE_H

#include "law/audit.h"
#include "law/audit_entry.h"
#include "law/audit_verify.h"

#define FAKE_ORIGIN "example.org/vedette/test"

struct fake_entry {
    char *at;
    size_t bytes;
};
struct fake_sink {
    struct vd_audit_sink sink;
    struct fake_entry *entry;
    size_t n, cap;
    char *note[2048]; /* sizes ascending */
    uint64_t note_size[2048];
    size_t note_n;
    long calls;      /* sink calls so far */
    long many;       /* groups appended */
    long fail_at;    /* this call fails, -1 = none */
    int fail_stored; /* an append that fails has stored all the same */
};
struct fake_key {
    struct vd_note_signer signer;
    unsigned char secret[64];
};

void fake_init(struct fake_sink *f);
void fake_fini(struct fake_sink *f);
/* A key from a seed of one byte. */
void fake_key(struct fake_key *k, const char *name, int type, unsigned char seed);

/* A log with its keys, a clock and two witnesses. */
struct fake_log {
    struct fake_sink sink;
    struct fake_key log, witness[3];
    struct vd_note_key witness_key[3];
    struct vd_witness state[3];
    struct vd_audit_options options;
    struct vd_audit *audit;
    struct vd_audit_time now;
    struct vd_audit_policy policy; /* 2 of 3 */
};
void fake_log_init(struct fake_log *l); /* keys and options; nothing opened */
void fake_log_open(struct fake_log *l); /* asserts success */
void fake_log_fini(struct fake_log *l);
/* Append n small events, a checkpoint with two witnesses wherever one is due. */
void fake_log_run(struct fake_log *l, size_t n);
/* Checkpoint now and have witness 0 and 1 cosign it, through their requests. */
void fake_log_checkpoint(struct fake_log *l);
/* The export as bytes; free() both. */
char *fake_entries(const struct fake_sink *f, size_t *bytes);
char *fake_notes(const struct fake_sink *f, size_t *bytes);
/* Proofs from the sink's entries. */
struct vd_merkle_source fake_source(struct fake_sink *f);
/* The keys file of l->policy; VD_NOTE_VKEY_MAX * 5 bytes. */
void fake_keys_text(const struct fake_log *l, char *text);

#endif
