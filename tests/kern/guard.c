/* Operands between guard pages, canaries, comparison, and the numbers that go in. */
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kern/checkkern.h"

enum { SLOTS = 14, SLOT_BYTES = 2 << 20, PAGE = 4096, AROUND = PAGE / 4, SHOWN = 5 };

static const uint32_t canary = 0x7fa5c3e1u; /* a NaN: whoever computes with it shows */

static struct slot {
    unsigned char *base; /* SLOT_BYTES between two PROT_NONE pages */
    float *p;
    size_t n;
    int output;
} slots[SLOTS];
static int slots_used;
static enum ck_place place_now;
static double *want_store, *tol_store;
static char description[512];

const char *ck_kernel_now = "";
uint64_t ck_seed_now;
size_t ck_cases, ck_floats_checked, ck_failures;

static void die(const char *what)
{
    fprintf(stderr, "checkkern: %s (%s: %s)\n", what, ck_kernel_now, description);
    exit(2);
}

void ck_memory_init(void)
{
    for (int i = 0; i < SLOTS; i++) {
        unsigned char *p = mmap(NULL, SLOT_BYTES + 2 * PAGE, PROT_NONE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED || mprotect(p + PAGE, SLOT_BYTES, PROT_READ | PROT_WRITE))
            die("no memory between guard pages");
        slots[i].base = p + PAGE;
    }
    want_store = malloc(SLOT_BYTES / sizeof(float) * sizeof *want_store);
    tol_store = malloc(SLOT_BYTES / sizeof(float) * sizeof *tol_store);
    if (!want_store || !tol_store)
        die("out of memory");
}

void ck_begin(enum ck_place place)
{
    slots_used = 0;
    place_now = place;
}

float *ck_floats(size_t n)
{
    if (slots_used == SLOTS || n > SLOT_BYTES / sizeof(float) - AROUND)
        die("a case is too large for its slots");
    struct slot *s = &slots[slots_used++];
    unsigned char *p = place_now == CK_END ? s->base + SLOT_BYTES - n * sizeof(float) : s->base;
    s->p = (float *)(void *)p;
    s->n = n;
    s->output = 0;
    return s->p;
}

float *ck_input(size_t n, enum ck_kind kind)
{
    float *p = ck_floats(n);
    ck_fill(p, n, kind);
    return p;
}

uint8_t *ck_bytes(size_t n)
{
    ck_floats(0);
    struct slot *s = &slots[slots_used - 1];
    if (n > SLOT_BYTES - PAGE)
        die("a case is too large for its slots");
    s->p = (float *)(void *)(place_now == CK_END ? s->base + SLOT_BYTES - n : s->base);
    s->n = 1;
    return (uint8_t *)s->p;
}

struct ck_byte_out ck_byte_output(size_t n)
{
    struct ck_byte_out o = {.p = ck_bytes(n), .n = n, .want = (int16_t *)(void *)want_store};
    slots[slots_used - 1].output = 1;
    for (size_t i = 0; i < n; i++)
        o.want[i] = CK_CANARY;
    return o;
}

struct ck_out ck_output(size_t n)
{
    struct ck_out o = {.p = ck_floats(n), .n = n, .want = want_store, .tol = tol_store};
    slots[slots_used - 1].output = 1;
    for (size_t i = 0; i < n; i++)
        o.tol[i] = CK_CANARY;
    return o;
}

void ck_case(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(description, sizeof description, fmt, ap);
    va_end(ap);
    ck_cases++;
}

/* For the handler of SIGSEGV, too: no stdio. */
const char *ck_description(void);
const char *ck_description(void)
{
    return description;
}

static void complain(const char *level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void complain(const char *level, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (ck_failures++ < SHOWN)
        printf("FAIL %s %s: %s\n     case: %s, operands %s guard page, --seed %llu\n",
               ck_kernel_now, level, text, description,
               place_now == CK_END ? "end at a" : "begin after a", (unsigned long long)ck_seed_now);
}

static uint32_t bits(float x)
{
    uint32_t b;
    memcpy(&b, &x, sizeof b);
    return b;
}

/* The output and AROUND floats on its open side. */
static void paint(const struct ck_out *o)
{
    float *from = place_now == CK_END ? o->p - AROUND : o->p;
    for (size_t i = 0; i < o->n + AROUND; i++)
        memcpy(from + i, &canary, sizeof canary);
}

static void verify(const char *level, const struct ck_out *o)
{
    size_t wrong = 0;
    for (size_t i = 0; i < o->n && wrong < 2; i++) {
        double t = o->tol[i], got = (double)o->p[i];
        int ok = 1;
        if (t >= 0 && t <= 0)
            ok = bits(o->p[i]) == bits((float)o->want[i]) ||
                 (ck_val(o->p[i]) == 0 && o->want[i] == 0);
        else if (t > 0)
            ok = fabs(got - o->want[i]) <= t;
        else if ((int)t == CK_CANARY)
            ok = bits(o->p[i]) == canary;
        else if ((int)t == CK_IS_NAN)
            ok = isnan(o->p[i]) && bits(o->p[i]) != canary;
        if (ok)
            continue;
        wrong++;
        if ((int)t == CK_CANARY)
            complain(level, "float %zu was written and must not be: %g", i, got);
        else if (bits(o->p[i]) == canary)
            complain(level, "float %zu was never written", i);
        else
            complain(level, "float %zu is %.9g, wanted %.9g within %.3g", i, got, o->want[i], t);
    }
    const float *from = place_now == CK_END ? o->p - AROUND : o->p + o->n;
    for (size_t i = 0; i < AROUND; i++) {
        if (bits(from[i]) != canary) {
            complain(level, "written %s the output, float %td",
                     place_now == CK_END ? "before" : "after", from + i - o->p);
            break;
        }
    }
    ck_floats_checked += o->n;
}

/* Whole slots that hold inputs. */
static void protect(int flags)
{
    for (int i = 0; i < slots_used; i++)
        if (!slots[i].output && slots[i].n)
            mprotect(slots[i].base, SLOT_BYTES, flags);
}

void ck_run(ck_call call, const void *arg, struct ck_out *out)
{
    for (int i = 0; i < ck_levels_n; i++) {
        paint(out);
        protect(PROT_READ);
        unsigned saved = vd_fpu_flush_begin();
        call(&ck_levels[i].kern, arg);
        vd_fpu_flush_end(saved);
        protect(PROT_READ | PROT_WRITE);
        verify(ck_levels[i].name, out);
    }
}

/* Twice, over different paint: a byte has no value that only a canary has. */
void ck_run_bytes(ck_call call, const void *arg, struct ck_byte_out *out)
{
    for (int i = 0; i < 2 * ck_levels_n; i++) {
        const int paint_now = i % 2 ? 0xa5 : 0x5a;
        uint8_t *from = place_now == CK_END ? out->p - PAGE : out->p;
        memset(from, paint_now, out->n + PAGE);
        protect(PROT_READ);
        unsigned saved = vd_fpu_flush_begin();
        call(&ck_levels[i / 2].kern, arg);
        vd_fpu_flush_end(saved);
        protect(PROT_READ | PROT_WRITE);
        for (size_t k = 0; k < out->n; k++) {
            int want = out->want[k] < 0 ? paint_now : out->want[k];
            if (out->p[k] == want)
                continue;
            complain(ck_levels[i / 2].name, "byte %zu is %d, wanted %d%s", k, out->p[k], want,
                     out->want[k] < 0 ? ": it must not be written" : "");
            break;
        }
        for (size_t k = 0; k < PAGE; k++)
            if ((place_now == CK_END ? from : out->p + out->n)[k] != paint_now) {
                complain(ck_levels[i / 2].name, "written beside the output");
                break;
            }
        ck_floats_checked += out->n;
    }
}

/* --- randomness ---------------------------------------------------------------------------------
 */

static uint64_t state;

void ck_seed(uint64_t seed)
{
    state = seed;
}

/* splitmix64 (Vigna): the same numbers on every libc. */
static uint64_t next(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint32_t ck_rnd(uint32_t below)
{
    return (uint32_t)((next() >> 32) * below >> 32);
}

int32_t ck_int(int32_t lo, int32_t hi)
{
    return lo + (int32_t)ck_rnd((uint32_t)(hi - lo + 1));
}

static float uniform(void)
{
    return (float)(next() >> 40) * 0x1p-23f - 1.0f;
}

void ck_fill(float *p, size_t n, enum ck_kind kind)
{
    for (size_t i = 0; i < n; i++) {
        float x = uniform();
        switch (kind) {
        case CK_UNIFORM:
        case CK_KINDS:
            break;
        case CK_ZEROS:
            x = x < 0 ? -0.0f : 0.0f;
            break;
        case CK_LARGE: /* products of two stay finite, and so does their sum */
            x *= 1e12f;
            break;
        case CK_TINY: /* products of two are denormal or vanish */
            x *= 1e-19f;
            break;
        case CK_DENORMAL:
            x *= ck_rnd(2) ? 1.0f : FLT_MIN / 4;
            break;
        case CK_CANCEL: /* sums lose nearly everything */
            x = x * 1e-3f + (i / 2 % 2 ? 4096.0f : -4096.0f);
            break;
        case CK_NANS:
            x = ck_rnd(60) ? x : NAN;
            break;
        }
        p[i] = x;
    }
}

double ck_val(float x)
{
    uint32_t b = bits(x);
    return b & 0x7f800000u ? (double)x : 0; /* no comparison: that would obey MXCSR */
}

/* --- epilogues ----------------------------------------------------------------------------------
 */

struct vd_epilogue ck_epilogue(int how, size_t c, enum ck_kind kind)
{
    size_t pad = (c + VD_NC - 1) / VD_NC * VD_NC;
    struct vd_epilogue ep = {.act = (enum vd_act)(how / 4 % 5), .lo = -0.25f, .hi = 0.5f};
    if (kind == CK_NANS)
        kind = CK_UNIFORM;
    if (how & 1) {
        float *b = ck_input(pad, kind);
        for (size_t i = c; i < pad; i++)
            b[i] = 0;
        ep.bias = b;
    }
    if (ep.act == VD_ACT_PRELU) {
        float *s = ck_input(pad, CK_UNIFORM);
        for (size_t i = 0; i < pad; i++)
            s[i] = i < c ? s[i] * 1.5f : 0;
        ep.slope = s;
    }
    return ep;
}

void ck_finish(struct ck_out *o, size_t at, double sum, double mag, size_t terms,
               const struct vd_epilogue *ep, size_t lane, const float *add)
{
    const double u = 0x1p-24;
    double x = sum, n = (double)terms + 3;
    if (ep->bias) {
        x += ck_val(ep->bias[lane]);
        mag += fabs(ck_val(ep->bias[lane]));
    }
    if (add) {
        x += ck_val(*add);
        mag += fabs(ck_val(*add));
    }
    double tol = n * u / (1 - n * u) * mag + n * (double)FLT_MIN, want = x;
    switch (ep->act) {
    case VD_ACT_NONE:
        break;
    case VD_ACT_RELU:
        want = x > 0 ? x : 0;
        break;
    case VD_ACT_PRELU: {
        double s = ck_val(ep->slope[lane]);
        want = x >= 0 ? x : x * s;
        tol = tol * fmax(1, fabs(s)) + u * fabs(want) + (double)FLT_MIN;
        break;
    }
    case VD_ACT_CLIP:
        want = isnan(x) ? (double)ep->lo : fmin(fmax(x, (double)ep->lo), (double)ep->hi);
        break;
    case VD_ACT_SIGMOID: /* steepest at 0: 1/4; then four units in the last place */
        want = 1 / (1 + exp(-x));
        tol = tol / 4 + 8 * u * want + (double)FLT_MIN;
        break;
    }
    if (isnan(x) && ep->act != VD_ACT_RELU && ep->act != VD_ACT_CLIP)
        tol = ep->act == VD_ACT_SIGMOID ? CK_ANY : CK_IS_NAN;
    else if (isnan(x))
        tol = DBL_MIN;
    o->want[at] = want;
    o->tol[at] = tol;
}

const char *ck_ep_name(const struct vd_epilogue *ep)
{
    static const char *const act[] = {"none", "relu", "prelu", "clip", "sigmoid"};
    static char text[32];
    snprintf(text, sizeof text, "%s%s%s", ep->bias ? "bias+" : "", ep->add ? "add+" : "",
             act[ep->act]);
    return text;
}
