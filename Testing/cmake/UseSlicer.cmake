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

# Stand-in for the macro that builds a scripted module: its files go where all modules lie.

function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(_arg "WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(_arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "unknown arguments: ${_arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT "${_arg_NAME}.py" IN_LIST _arg_SCRIPTS)
    message(FATAL_ERROR "module ${_arg_NAME} does not list ${_arg_NAME}.py")
  endif()
  ctkMacroCompilePythonScript(
    TARGET_NAME ${_arg_NAME}
    SCRIPTS ${_arg_SCRIPTS}
    RESOURCES ${_arg_RESOURCES}
    DESTINATION_DIR ${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}
    INSTALL_DIR ${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR}
    NO_INSTALL_SUBDIR)
endfunction()

# Stand-in for what runs the module's own tests inside Slicer.

function(slicer_add_python_unittest)
  cmake_parse_arguments(_arg "" "SCRIPT" "" ${ARGN})
  if(NOT EXISTS ${_arg_SCRIPT})
    message(FATAL_ERROR "there is no ${_arg_SCRIPT} to test")
  endif()
endfunction()
