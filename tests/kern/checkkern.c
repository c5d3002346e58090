/* checkkern: see checkkern.h.
 *     checkkern [--seed N] [--isa LEVEL] [--only KERNEL] [--quick] [--bench | --mutants | --list]
 * Exit status: 0 all well; 1 a kernel is wrong (or a mutant survived); 2 usage; 77 no level but c.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kern/checkkern.h"

struct ck_level ck_levels[VD_ISA_LEVELS];
int ck_levels_n;
const char *ck_description(void);

static const char *only, *isa_wanted;
static int thorough = 1;

static void say(const char *text)
{
    ssize_t unused = write(STDOUT_FILENO, text, strlen(text));
    (void)unused;
}

/* A read or write beyond an operand ends here. Only what a signal handler may call. */
static void on_fault(int sig)
{
    say(sig == SIGILL ? "FAIL an instruction that this CPU lacks: "
                      : "FAIL access outside an operand: ");
    say(ck_kernel_now);
    say(": ");
    say(ck_description());
    say(" (run again with --only and the seed above)\n");
    _exit(1);
}

static void check_one(const struct ck_kernel *k)
{
    ck_kernel_now = k->name;
    for (int place = 0; place < CK_PLACES; place++) {
        ck_seed(ck_seed_now); /* the same cases for --only and in either place */
        k->check((enum ck_place)place, thorough);
    }
}

/* Every pointer of the table is there, at every level. */
static void check_table(void)
{
    for (int l = 0; l < ck_levels_n; l++)
        for (size_t i = 0; i < ck_kernels_n; i++) {
            void (*p)(void);
            memcpy(&p, (const char *)&ck_levels[l].kern + ck_kernels[i].offset, sizeof p);
            if (!p) {
                printf("FAIL %s has no %s\n", ck_levels[l].name, ck_kernels[i].name);
                ck_failures++;
            }
        }
}

/* c, and what the CPU and the mask allow; names each level that is left out. */
static int choose_levels(void)
{
    enum vd_isa have = vd_isa_detect(), want = VD_ISA_LEVELS;
    for (int i = 0; i < VD_ISA_LEVELS; i++)
        if (isa_wanted && !strcmp(isa_wanted, vd_isa_name((enum vd_isa)i)))
            want = (enum vd_isa)i;
    if (isa_wanted && want == VD_ISA_LEVELS) {
        fprintf(stderr, "checkkern: unknown level '%s': c, avx2, avx512 or vnni\n", isa_wanted);
        return 2;
    }
    for (int i = 0; i < VD_ISA_LEVELS; i++) {
        enum vd_isa isa = (enum vd_isa)i;
        if (isa_wanted && isa != want && isa != VD_ISA_C)
            continue;
        if (isa > have) {
            printf("SKIP level %s: not on this CPU, or masked (%s is the highest)\n",
                   vd_isa_name(isa), vd_isa_name(have));
            continue;
        }
        ck_levels[ck_levels_n].name = vd_isa_name(isa);
        vd_kern_init(&ck_levels[ck_levels_n++].kern, isa);
    }
    return 0;
}

static int check_all(void)
{
    int found = 0;
    check_table();
    for (size_t i = 0; i < ck_kernels_n; i++) {
        size_t cases = ck_cases, floats = ck_floats_checked, failures = ck_failures;
        clock_t from = clock();
        if (only && strcmp(only, ck_kernels[i].name))
            continue;
        found = 1;
        check_one(&ck_kernels[i]);
        printf("%-4s %-22s %5zu cases %9zu floats  %.1f s\n",
               ck_failures > failures ? "FAIL" : "ok", ck_kernels[i].name, ck_cases - cases,
               ck_floats_checked - floats, (double)(clock() - from) / CLOCKS_PER_SEC);
    }
    if (!found) {
        fprintf(stderr, "checkkern: no kernel '%s' (--list names them)\n", only);
        return 2;
    }
    printf("%zu wrong in %zu cases, %zu floats\n", ck_failures, ck_cases, ck_floats_checked);
    if (ck_failures)
        return 1;
    if (ck_levels_n == 1) {
        printf("SKIP no level but c here: the reference is right, and nothing else was tested\n");
        return 77;
    }
    return 0;
}

/* In a child: does the check of this kernel fail? */
static int caught(const char *kernel, void (*apply)(struct vd_kern *), int *status)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stdout))
            _exit(3);
        apply(&ck_levels[0].kern);
        for (size_t i = 0; i < ck_kernels_n; i++)
            if (!strcmp(kernel, ck_kernels[i].name))
                check_one(&ck_kernels[i]);
        _exit(ck_failures ? 1 : 0);
    }
    if (pid < 0 || waitpid(pid, status, 0) != pid)
        return 0;
    return WIFSIGNALED(*status) || WEXITSTATUS(*status) == 1;
}

static void apply_nothing(struct vd_kern *k)
{
    (void)k;
}

static const struct ck_mutant *mutant(size_t m)
{
    return m < ck_mutants_n ? &ck_mutants[m] : &ck_mutants_q8[m - ck_mutants_n];
}

static int mutants(void)
{
    size_t survivors = 0;
    int status = 0;
    ck_levels[0] = ck_levels[ck_levels_n - 1]; /* the highest level, alone */
    ck_levels_n = 1;
    ck_healthy = ck_levels[0].kern;
    thorough = 0;
    for (size_t i = 0; i < ck_kernels_n; i++) {
        size_t n = 0;
        if (caught(ck_kernels[i].name, apply_nothing, &status) || status) {
            printf("FAIL %s: the healthy kernel does not pass\n", ck_kernels[i].name);
            survivors++;
        }
        for (size_t m = 0; m < ck_mutants_n + ck_mutants_q8_n; m++)
            n += !strcmp(mutant(m)->kernel, ck_kernels[i].name);
        if (!n) {
            printf("FAIL %s has no mutant\n", ck_kernels[i].name);
            survivors++;
        }
    }
    for (size_t m = 0; m < ck_mutants_n + ck_mutants_q8_n; m++) {
        int bad = caught(mutant(m)->kernel, mutant(m)->apply, &status);
        printf("%-4s %s\n", bad ? "ok" : "FAIL", mutant(m)->name);
        survivors += !bad;
    }
    printf("%zu mutants of level %s, %zu findings\n", ck_mutants_n + ck_mutants_q8_n,
           ck_levels[0].name, survivors);
    return survivors ? 1 : 0;
}

int main(int argc, char **argv)
{
    int bench = 0, mutate = 0;
    uint64_t seed = 0;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(argv[i], "--bench"))
            bench = 1;
        else if (!strcmp(argv[i], "--mutants"))
            mutate = 1;
        else if (!strcmp(argv[i], "--quick"))
            thorough = 0;
        else if (!strcmp(argv[i], "--list"))
            for (size_t k = 0; k < ck_kernels_n; k++)
                printf("%s%s", ck_kernels[k].name, k + 1 < ck_kernels_n ? " " : "\n");
        else if (!strcmp(argv[i], "--seed") && value)
            seed = strtoull(argv[++i], NULL, 0);
        else if (!strcmp(argv[i], "--isa") && value)
            isa_wanted = argv[++i];
        else if (!strcmp(argv[i], "--only") && value)
            only = argv[++i];
        else {
            fprintf(stderr, "usage: checkkern [--seed N] [--isa LEVEL] [--only KERNEL] [--quick] "
                            "[--bench | --mutants | --list]\n");
            return 2;
        }
    }
    if (argc == 2 && !strcmp(argv[1], "--list"))
        return 0;
    /* mutants by one seed, so that a rare miss does not look like a defect of today */
    ck_seed_now = seed ? seed : mutate ? 1 : (uint64_t)time(NULL);
    int rc = choose_levels();
    if (rc)
        return rc;
    if (bench) {
        ck_bench(only);
        return 0;
    }
    struct sigaction fault = {.sa_handler = on_fault};
    sigaction(SIGSEGV, &fault, NULL);
    sigaction(SIGBUS, &fault, NULL);
    sigaction(SIGILL, &fault, NULL);
    ck_memory_init();
    printf("checkkern --seed %llu\n", (unsigned long long)ck_seed_now);
    fflush(stdout);
    return mutate ? mutants() : check_all();
}
