# Warnings of the house style and the OpenSSF hardening flags (guide of 2026-06-30) that gcc 12 and
# clang 19 accept. Never the build machine's own instruction set, never unsafe mathematics: levels
# are chosen at run time, and results must be the same everywhere (tests/lint checks).
add_compile_options(
    -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wformat=2
    -Wdouble-promotion -Wimplicit-fallthrough -Werror=format-security -Werror=implicit
    -Werror=incompatible-pointer-types -Werror=int-conversion
    -fstack-protector-strong -fstack-clash-protection -fno-delete-null-pointer-checks
    -fno-strict-overflow -fno-strict-aliasing -ffp-contract=off)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    add_compile_options(-fcf-protection=full)
endif()
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wtrampolines -Wbidi-chars=any)
else()
    add_compile_options(-fstrict-flex-arrays=3) # gcc: from 13 on
endif()
if(VD_WERROR)
    add_compile_options(-Werror)
endif()
add_compile_definitions(_GNU_SOURCE)
# The same sources give the same bytes in any folder (tools/reproduce): a record that names the
# program's digest is worth what an outsider can rebuild.
add_compile_options(-ffile-prefix-map=${CMAKE_BINARY_DIR}=build -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)

# What nobody initialised is zero for users and garbage under a sanitizer, where it shall show.
set(VD_AUTO_INIT "-ftrivial-auto-var-init=zero")
if(VD_SANITIZE)
    add_compile_options(-fsanitize=${VD_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${VD_SANITIZE})
    set(VD_AUTO_INIT "-ftrivial-auto-var-init=pattern")
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g ${VD_AUTO_INIT}")
set(CMAKE_C_FLAGS_RELEASE "-O2 ${VD_AUTO_INIT}")
set(CMAKE_C_FLAGS_DEBUG "-O0 -g3")
add_link_options(-Wl,-z,noexecstack -Wl,-z,relro -Wl,-z,now -Wl,--as-needed
                 -Wl,--no-copy-dt-needed-entries)
# nodlopen for programs only: bindings may well open the library.
set(CMAKE_EXE_LINKER_FLAGS "${CMAKE_EXE_LINKER_FLAGS} -pie -Wl,-z,nodlopen")
