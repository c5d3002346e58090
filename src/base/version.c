#include "vedette/vedette.h"

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)

const char *vd_version(unsigned *number)
{
    if (number)
        *number = VD_VERSION_NUMBER;
    return TEXT(VD_VERSION_MAJOR) "." TEXT(VD_VERSION_MINOR) "." TEXT(VD_VERSION_PATCH);
}
