#include "desk/password.h"

#include <crack.h>
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "desk/inside.h"

#define LEAST   10
#define MOST    512
#define CORE_OK 16 /* so long, a word may be in the middle */

/* cracklib's own buffers are static; it ends the process when its files cannot be opened. */
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;

static const char *in_list(const char *password)
{
    const char *at = GetDefaultCracklibDict();
    pthread_mutex_lock(&one);
    const char *why = FascistCheckUser(password, at, "", "");
    pthread_mutex_unlock(&one);
    return why;
}

static int have_list(void)
{
    static const char *const part[] = {"pwd", "pwi", "hwm"};
    char path[256];
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s.%s", GetDefaultCracklibDict(), part[i]);
        if (access(path, R_OK))
            return 0;
    }
    return 1;
}

/* The word between digits and signs at both ends. */
static int core_is_a_word(const char *password, size_t n)
{
    char core[CORE_OK];
    size_t a = 0;
    if (n >= CORE_OK)
        return 0;
    while (a < n && !isalpha((unsigned char)password[a]))
        a++;
    while (n > a && !isalpha((unsigned char)password[n - 1]))
        n--;
    if (n - a < 4)
        return 1; /* digits and signs alone, under 16 of them */
    snprintf(core, sizeof core, "%.*s", (int)(n - a), password + a);
    const char *why = in_list(core);
    const int word = why && strstr(why, "dictionary");
    vd_wipe(core, sizeof core);
    return word;
}

vd_status vd_password_check(const char *password, const char *user, struct vd_err *err)
{
    const size_t n = strnlen(password, MOST + 1);
    if (n < LEAST || n > MOST)
        return vd_fail(err, VD_E_INVAL, "a password has %d to %d bytes", LEAST, MOST);
    if (strcasestr(password, "vedette") || (strlen(user) >= 3 && strcasestr(password, user)))
        return vd_fail(
            err, VD_E_INVAL,
            "the password holds the user's name or the word vedette: choose one without");
    if (!have_list())
        return vd_fail(err, VD_E_NOTFOUND,
                       "the list of common passwords is missing: install cracklib-runtime");
    const char *why = in_list(password);
    if (why || core_is_a_word(password, n))
        return vd_fail(err, VD_E_INVAL,
                       "this password is among the first that are tried (%s): several words that "
                       "do not belong together are easy to keep and hard to guess",
                       why ? why : "a common word with something around it");
    return VD_OK;
}

vd_status vd_desk_password_change(struct vd_desk *d, const char *name, const char *old,
                                  const char *password, struct vd_err *err)
{
    struct vd_store_user u;
    vd_status st = vd_store_user_check(d->store, name, old, &u, err);
    if (!st && strcmp(old, password) == 0)
        st = vd_fail(err, VD_E_INVAL, "this is the old password");
    if (!st)
        st = vd_password_check(password, name, err);
    if (!st)
        st = vd_desk_key_reseal(d, name, old, password, err);
    if (!st)
        st = vd_store_user_put(d->store, &u, password, err);
    if (!st)
        st = vd_desk_key_resealed(d, name, err);
    const struct vd_audit_field f[] = {VD_TEXT("user", name), VD_TEXT("what", "own password")};
    return st ? st : vd_desk_note(d, name, NULL, VD_AUDIT_USER_CHANGED, f, 2, err);
}
