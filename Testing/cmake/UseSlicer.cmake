# Stand-in for the macro that copies Python files into the build tree and installs them.

function(ctkMacroCompilePythonScript)
  cmake_parse_arguments(_arg
    "NO_INSTALL_SUBDIR" "TARGET_NAME;DESTINATION_DIR;INSTALL_DIR" "SCRIPTS;RESOURCES" ${ARGN})
  if(_arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "unknown arguments: ${_arg_UNPARSED_ARGUMENTS}")
  endif()
  set(_copies)
  foreach(_file IN LISTS _arg_SCRIPTS _arg_RESOURCES)
    set(_source ${CMAKE_CURRENT_SOURCE_DIR}/${_file})
    if(NOT EXISTS ${_source})
      message(FATAL_ERROR "${_arg_TARGET_NAME} lists ${_file}, which does not exist")
    endif()
    set(_copy ${_arg_DESTINATION_DIR}/${_file})
    add_custom_command(OUTPUT ${_copy}
      COMMAND ${CMAKE_COMMAND} -E copy ${_source} ${_copy} DEPENDS ${_source})
    list(APPEND _copies ${_copy})
    get_filename_component(_folder ${_file} DIRECTORY)
    install(FILES ${_copy} DESTINATION ${_arg_INSTALL_DIR}/${_folder} COMPONENT RuntimeLibraries)
  endforeach()
  add_custom_target(${_arg_TARGET_NAME} ALL DEPENDS ${_copies})
endfunction()
