# Warnings of the house style and the OpenSSF hardening flags that gcc 12 and clang 19 accept.
add_compile_options(
    -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wformat=2
    -Wdouble-promotion -Wimplicit-fallthrough -Werror=format-security -Werror=implicit
    -Werror=incompatible-pointer-types -Werror=int-conversion
    -fstack-protector-strong -fstack-clash-protection -fno-delete-null-pointer-checks
    -fno-strict-overflow -ffp-contract=off)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    add_compile_options(-fcf-protection=full)
endif()
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wtrampolines)
endif()
if(VD_WERROR)
    add_compile_options(-Werror)
endif()
add_compile_definitions(_GNU_SOURCE)

if(VD_SANITIZE)
    add_compile_options(-fsanitize=${VD_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${VD_SANITIZE})
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g -ftrivial-auto-var-init=zero")
set(CMAKE_C_FLAGS_RELEASE "-O2 -ftrivial-auto-var-init=zero")
set(CMAKE_C_FLAGS_DEBUG "-O0 -g3")
add_link_options(-Wl,-z,noexecstack -Wl,-z,relro -Wl,-z,now -Wl,--as-needed)
set(CMAKE_EXE_LINKER_FLAGS "${CMAKE_EXE_LINKER_FLAGS} -pie")
