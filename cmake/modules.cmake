# vd_module(name SOURCES a.c b.c [LIBS targets]): one folder of src/ as the static library vd_<name>.
# The target's objects are collected for libvedette when the module is listed in library.cmake.
function(vd_module name)
    cmake_parse_arguments(M "" "" "SOURCES;LIBS" ${ARGN})
    add_library(vd_${name} STATIC ${M_SOURCES})
    target_include_directories(vd_${name} PUBLIC ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(vd_${name} PUBLIC ${M_LIBS})
endfunction()

# vd_isa_kernels(module flags files...): files of one instruction-set level. The flags here and the
# bundle that src/base/cpu.c checks stay together: change both or neither.
# Templates unrolled into thousands of instrumented lines take gcc minutes: under a sanitizer -O1, and
# without the checks that vector loads through unaligned pointers make pointless.
function(vd_isa_kernels module flags)
    if(VD_SANITIZE)
        list(APPEND flags -O1 -fno-sanitize=null,alignment,object-size)
    endif()
    set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS "${flags}")
    target_sources(vd_${module} PRIVATE ${ARGN})
endfunction()

# vd_test(name SOURCES ... [LIBS ...] [LABELS ...]): a cmocka program registered with ctest. Exit code
# 77 = skipped. Label `threads`: also run under ThreadSanitizer; `slow`: left out by sanitizers.
function(vd_test name)
    cmake_parse_arguments(T "" "" "SOURCES;LIBS;LABELS" ${ARGN})
    add_executable(test_${name} ${T_SOURCES})
    target_include_directories(test_${name} PRIVATE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src
                               ${CMAKE_SOURCE_DIR}/tests)
    target_link_libraries(test_${name} PRIVATE ${T_LIBS} PkgConfig::CMOCKA)
    add_test(NAME ${name} COMMAND test_${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300 LABELS "${T_LABELS}"
        ENVIRONMENT "${VD_TEST_ENVIRONMENT}")
endfunction()
# What every test finds. A refused allocation is an answer that we test, not a defect.
set(VD_TEST_ENVIRONMENT
    VEDETTE_SOURCE=${CMAKE_SOURCE_DIR} VEDETTE_CACHE=${CMAKE_SOURCE_DIR}/.cache
    VEDETTE_DECODER=${CMAKE_BINARY_DIR}/vedette-decoder
    ASAN_OPTIONS=allocator_may_return_null=1:detect_stack_use_after_return=1:strict_string_checks=1
    UBSAN_OPTIONS=print_stacktrace=1
    TSAN_OPTIONS=allocator_may_return_null=1:halt_on_error=1:second_deadlock_stack=1)
