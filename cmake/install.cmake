# `make install`: the programs, what they read, and licences. The library is in library.cmake.
include(GNUInstallDirs)
install(TARGETS vedette vedette-decoder vedette-verify COMPONENT program)
install(DIRECTORY models/ DESTINATION ${CMAKE_INSTALL_DATADIR}/vedette/models COMPONENT program
        FILES_MATCHING PATTERN "*.yaml" PATTERN "*.json")
install(DIRECTORY policies/ DESTINATION ${CMAKE_INSTALL_DATADIR}/vedette/policies COMPONENT program
        FILES_MATCHING PATTERN "*.yaml" PATTERN "*.json")
install(DIRECTORY LICENSES/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/licences COMPONENT program)
