# For a port that is built by CMake:
#     make -C ports/rp2 USER_C_MODULES=.../mqttloop/bindings/micropython/mqttloop/micropython.cmake
get_filename_component(MQTTLOOP_TOP ${CMAKE_CURRENT_LIST_DIR}/../../.. ABSOLUTE)
file(GLOB MQTTLOOP_SOURCES ${CMAKE_CURRENT_LIST_DIR}/*.c)
file(GLOB MQTTLOOP_CORE
    ${MQTTLOOP_TOP}/lib/*.c
    ${MQTTLOOP_TOP}/lib/wire/*.c
    ${MQTTLOOP_TOP}/lib/session/*.c
    ${MQTTLOOP_TOP}/lib/engine/*.c
    ${MQTTLOOP_TOP}/lib/client/*.c)

add_library(usermod_mqttloop INTERFACE)
target_sources(usermod_mqttloop INTERFACE ${MQTTLOOP_SOURCES} ${MQTTLOOP_CORE})
target_include_directories(usermod_mqttloop INTERFACE
    ${MQTTLOOP_TOP}/include ${MQTTLOOP_TOP}/lib)
target_link_libraries(usermod INTERFACE usermod_mqttloop)
