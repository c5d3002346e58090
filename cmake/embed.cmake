# vd_embed(target file symbol): the bytes of a file as `const unsigned char symbol[]` and
# `const size_t symbol_bytes`, in plain C that every compiler reads.
function(vd_embed target file symbol)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n"
           bytes "${bytes}")
    set(VD_EMBED_TEXT "#include <stddef.h>
extern const unsigned char ${symbol}[];
extern const size_t ${symbol}_bytes;
const unsigned char ${symbol}[] = {
${bytes}
};
const size_t ${symbol}_bytes = sizeof ${symbol};
")
    set(out ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
    file(CONFIGURE OUTPUT ${out} CONTENT "@VD_EMBED_TEXT@" @ONLY)
    target_sources(${target} PRIVATE ${out})
endfunction()
