# cmake -DOUT=... -DDIR=... -P embed.cmake: files as C arrays.
set(text "#include \"server/server.h\"\n")
foreach(pair "openapi.json vd_server_openapi" "config.schema.json vd_server_config_schema"
        "event.schema.json vd_server_event_schema")
    separate_arguments(pair)
    list(GET pair 0 file)
    list(GET pair 1 name)
    file(READ ${DIR}/${file} hex HEX)
    string(REGEX REPLACE "(..)" "0x\\1," hex "${hex}")
    string(REGEX REPLACE "(................................................................................)"
           "\\1\n    " hex "${hex}")
    string(APPEND text "\nstatic const char ${name}_bytes[] = {\n    ${hex}0};\n"
           "const char *${name}(size_t *n)\n{\n    *n = sizeof ${name}_bytes - 1;\n"
           "    return ${name}_bytes;\n}\n")
endforeach()
file(WRITE ${OUT} "${text}")
