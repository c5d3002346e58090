# libvedette: levels 0 to 3 without media and store, as one self-contained archive and as a shared
# library that exports what VD_API marks and nothing else. Modules join as they come to exist.
include(GNUInstallDirs)

file(READ include/vedette/vedette.h header)
foreach(part MAJOR MINOR PATCH)
    if(NOT header MATCHES "#define VD_VERSION_${part} ${PROJECT_VERSION_${part}}\n")
        message(FATAL_ERROR "include/vedette/vedette.h and project(VERSION) differ in ${part}")
    endif()
endforeach()

set(VD_LIBRARY_MODULES base kern nn vision gallery track face)
set(VD_LIBRARY_OBJECTS)
foreach(module ${VD_LIBRARY_MODULES})
    if(TARGET vd_${module})
        list(APPEND VD_LIBRARY_OBJECTS $<TARGET_OBJECTS:vd_${module}>)
    endif()
endforeach()

foreach(kind static shared)
    string(TOUPPER ${kind} KIND)
    add_library(vedette_${kind} ${KIND} ${VD_LIBRARY_OBJECTS})
    set_target_properties(vedette_${kind} PROPERTIES OUTPUT_NAME vedette LINKER_LANGUAGE C
                          ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}
                          LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
    target_include_directories(vedette_${kind} INTERFACE
        $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
    target_link_libraries(vedette_${kind} PRIVATE PkgConfig::SODIUM PkgConfig::YAML
                          Threads::Threads m)
endforeach()
# While the major version is 0, every minor version may break: it is part of the name.
set_target_properties(vedette_shared PROPERTIES VERSION ${PROJECT_VERSION}
                      SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
if(NOT VD_SANITIZE)
    target_link_options(vedette_shared PRIVATE -Wl,--no-undefined)
endif()

# Relative to the file, so that a staged or moved tree still works.
file(RELATIVE_PATH VD_PC_PREFIX /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
configure_file(cmake/vedette.pc.in ${CMAKE_BINARY_DIR}/vedette.pc @ONLY)

install(TARGETS vedette_static vedette_shared COMPONENT library)
install(DIRECTORY include/vedette DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library
        FILES_MATCHING PATTERN "*.h")
install(FILES ${CMAKE_BINARY_DIR}/vedette.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
        COMPONENT library)
