/* R43: in what forms a template could have got into a text. Looks for a run of consecutive values
 * of a template as decimals (1 to 9 places, any separator), as the hexadecimal digits of its bytes
 * or as base64 of them, and for the bytes themselves. */
#ifndef VD_TESTS_TEMPLATE_FORMS_H
#define VD_TESTS_TEMPLATE_FORMS_H

#include <ctype.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMS_RUN 4 /* consecutive values: 16 bytes, nothing that occurs by chance */

/* Four numbers in a row that are v's to the places that they are written with? */
static int forms_decimals(const char *text, size_t n, const float *v)
{
    char copy[256];
    for (size_t i = 0; i < n; i++) {
        if (!isdigit((unsigned char)text[i]) ||
            (i && (isdigit((unsigned char)text[i - 1]) || text[i - 1] == '.')))
            continue;
        const size_t from = i && text[i - 1] == '-' ? i - 1 : i;
        const size_t bytes = n - from < sizeof copy - 1 ? n - from : sizeof copy - 1;
        memcpy(copy, text + from, bytes);
        copy[bytes] = '\0';
        const char *p = copy;
        int run = 0;
        while (run < FORMS_RUN) {
            char *end;
            const double x = strtod(p, &end);
            const char *dot = memchr(p, '.', (size_t)(end - p));
            if (end == p || !dot)
                break;
            double half = 0.5000001;
            for (const char *d = dot + 1; d < end && isdigit((unsigned char)*d); d++)
                half /= 10;
            if (end - dot < 3 || x - (double)v[run] > half || (double)v[run] - x > half)
                break;
            run++;
            for (p = end; *p && !isdigit((unsigned char)*p) && *p != '-'; p++) {
            }
        }
        if (run == FORMS_RUN)
            return 1;
    }
    return 0;
}

/** v: FORMS_RUN values. 1: text (n bytes) holds them in one of the forms. */
static int forms_hold(const char *text, size_t n, const float *v)
{
    uint8_t raw[4 * FORMS_RUN];
    char hex[2 * sizeof raw + 1],
        b64[sodium_base64_ENCODED_LEN(4 * FORMS_RUN + 2, sodium_base64_VARIANT_ORIGINAL)];
    memcpy(raw, v, sizeof raw);
    sodium_bin2hex(hex, sizeof hex, raw, sizeof raw);
    int found =
        memmem(text, n, raw, sizeof raw) != NULL || memmem(text, n, hex, sizeof hex - 1) != NULL;
    for (size_t i = 0; hex[i]; i++)
        hex[i] = (char)toupper((unsigned char)hex[i]);
    found |= memmem(text, n, hex, sizeof hex - 1) != NULL;
    for (size_t skip = 0; skip < 3;
         skip++) { /* the bytes may begin anywhere in base64's groups of three */
        const size_t bytes = (sizeof raw - skip) / 3 * 3;
        sodium_bin2base64(b64, sizeof b64, raw + skip, bytes, sodium_base64_VARIANT_ORIGINAL);
        found |= memmem(text, n, b64, bytes / 3 * 4) != NULL;
        sodium_bin2base64(b64, sizeof b64, raw + skip, bytes, sodium_base64_VARIANT_URLSAFE);
        found |= memmem(text, n, b64, bytes / 3 * 4) != NULL;
    }
    return found || forms_decimals(text, n, v);
}

/** Does it find what is there, and nothing else? Call it before trusting a "nothing". */
static int forms_selftest(const float *v)
{
    char text[512], hex[33];
    uint8_t raw[4 * FORMS_RUN];
    memcpy(raw, v, sizeof raw);
    float other[FORMS_RUN];
    for (int i = 0; i < FORMS_RUN; i++)
        other[i] = -v[FORMS_RUN - 1 - i] + 0.01f;
    int n = snprintf(text, sizeof text, "a face at 0.5: [%.3f, %.3f, %.3f, %.3f]", (double)v[0],
                     (double)v[1], (double)v[2], (double)v[3]);
    int good = forms_hold(text, (size_t)n, v) && !forms_hold(text, (size_t)n, other);
    n = snprintf(text, sizeof text, "x=%.9g;%.9g;%.9g;%.9g", (double)v[0], (double)v[1],
                 (double)v[2], (double)v[3]);
    good &= forms_hold(text, (size_t)n, v);
    sodium_bin2hex(hex, sizeof hex, raw, sizeof raw);
    n = snprintf(text, sizeof text, "t %s.", hex);
    good &= forms_hold(text, (size_t)n, v) && !forms_hold(text, (size_t)n, other);
    for (size_t lead = 0; lead < 3; lead++) {
        uint8_t led[2 + sizeof raw + 2] = {1, 2};
        memcpy(led + lead, raw, sizeof raw);
        sodium_bin2base64(text, sizeof text, led, lead + sizeof raw + 2,
                          sodium_base64_VARIANT_ORIGINAL);
        good &= forms_hold(text, strlen(text), v) && !forms_hold(text, strlen(text), other);
    }
    return good;
}

#endif
