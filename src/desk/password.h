/* Passwords of people: what is refused, and how somebody changes the own one.
 *
 * PASSWORD
 * (1) 10 to 512 bytes, any bytes, as they are; no composition rules, no expiry (NIST SP 800-63B).
 * (2) Refused: what cracklib finds in its list of 97,638 words and common passwords, or made of
 * one; a word of that list with digits or signs around it and fewer than 16 bytes in all; what
 * holds the user's name or the word vedette. (3) Who changes the own password keeps the signing
 * key: it is sealed anew, and at any moment one of two sealed copies opens with the password that
 * counts. One that an administrator sets ends the key. Threads: any (cracklib is called by one at a
 * time). */
#ifndef VD_DESK_PASSWORD_H
#define VD_DESK_PASSWORD_H

#include "desk/desk.h"

/** (2). Errors: VD_E_INVAL with the reason; VD_E_NOTFOUND the list is not installed. */
VD_MUST_CHECK vd_status vd_password_check(const char *password, const char *user,
                                          struct vd_err *err);

/** Change the own password. Errors: VD_E_DENIED the old one is wrong; VD_E_INVAL (1), (2). */
VD_MUST_CHECK vd_status vd_desk_password_change(struct vd_desk *d, const char *name,
                                                const char *old, const char *password,
                                                struct vd_err *err);

#endif
