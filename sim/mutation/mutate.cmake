# cmake -DIN=… -DOUT=… -DFROM=… -DTO=… -P mutate.cmake: copies a source with one place changed.
file(READ ${IN} TEXT)
string(FIND "${TEXT}" "${FROM}" FIRST)
string(FIND "${TEXT}" "${FROM}" LAST REVERSE)
if(FIRST EQUAL -1 OR NOT FIRST EQUAL LAST)
  message(FATAL_ERROR "'${FROM}' is not there once in ${IN}: the guard that this mutation takes out "
                      "has changed; say in sim/mutation/CMakeLists.txt what it is now")
endif()
string(REPLACE "${FROM}" "${TO}" TEXT "${TEXT}")
file(WRITE ${OUT} "${TEXT}")
