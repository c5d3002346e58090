# The console: console/ becomes build/console, which the daemon finds beside itself. The packages that it is built
# with come from tools/setup; without them everything else builds, and the daemon serves a plain page.
find_program(VD_NODE NAMES node nodejs)
set(VD_CONSOLE ${CMAKE_BINARY_DIR}/console)
set(console_files
    .npmrc build.mjs icon.svg index.html package-lock.json package.json public.html tsconfig.json
    src/account.tsx src/alerts.tsx src/api.ts src/app.tsx src/cases.tsx src/deployments.tsx src/enrol.tsx src/i18n.ts src/lang/ar.ts src/lang/en.ts
    src/lang/fr.ts src/lists.tsx src/live.tsx src/outcome.tsx src/plan.tsx src/prefs.ts src/proof.ts src/public.tsx src/queue.ts
    src/record.tsx src/reports.tsx src/rights.ts src/signin.tsx src/stop.tsx src/style.css src/system.tsx src/ui.tsx)
list(TRANSFORM console_files PREPEND ${CMAKE_SOURCE_DIR}/console/)
if(VD_SANITIZE)
    return() # nothing in it is instrumented
endif()
if(VD_NODE AND EXISTS ${CMAKE_SOURCE_DIR}/console/node_modules/typescript)
    add_custom_command(OUTPUT ${VD_CONSOLE}/index.html
        COMMAND ${VD_NODE} ${CMAKE_SOURCE_DIR}/console/build.mjs ${VD_CONSOLE}
        DEPENDS ${console_files} COMMENT "Building the console" VERBATIM)
    add_custom_target(console ALL DEPENDS ${VD_CONSOLE}/index.html)
    install(DIRECTORY ${VD_CONSOLE}/ DESTINATION ${CMAKE_INSTALL_DATADIR}/vedette/console COMPONENT program)
else()
    message(STATUS "console: not built, run tools/setup first (it needs nodejs and npm)")
    add_custom_target(console COMMAND ${CMAKE_COMMAND} -E echo
        "console: its packages are not there: run make setup, then cmake again" COMMAND ${CMAKE_COMMAND} -E false)
endif()
