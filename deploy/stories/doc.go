// Package stories holds days at a reception desk as readable text (testdata/*.story) and the
// tests that walk them: Chromium by keyboard over the built programs, with the practice
// partners beside them.
//
// A story promises to be read by a receptionist: one act or one expectation a line, the time
// of day as a heading, and every line is either understood by the tests or a failure that
// names its file and line. Fields are filled as an input method commits words, everything
// else is pressed on the keyboard; nothing waits for the clock. The programs' clocks stand
// where the headings say.
package stories
