# Stand-in for the description file by which Slicer's extension manager knows an extension.

set(_description ${CMAKE_BINARY_DIR}/${PROJECT_NAME}.json)
file(WRITE ${_description}
  "{\"name\": \"${PROJECT_NAME}\", \"depends\": \"${EXTENSION_DEPENDS}\"}\n")
install(FILES ${_description} DESTINATION share/Slicer-${Slicer_VERSION})
