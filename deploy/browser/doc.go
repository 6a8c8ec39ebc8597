// Package browser walks the journeys through the built programs with a real Chromium: the
// citizen app, the reception desk and the office console, by the keyboard alone.
//
// It holds tests only. They promise that what a person sees in a browser is what the other
// packages say: a network that is off is a listener that is closed with every connection
// through it, a code is verified from the picture that stands on the screen, a push is the
// very payload that the practice FCM took, and every page that is passed is without a fault
// that axe-core knows, in three languages. Nothing waits for the clock.
//
// Without Chromium or axe-core they are skipped with a reason; with CI=true they fail.
// MADOGUCHI_BIN names a folder of built programs, else they are built. When
// MADOGUCHI_SCREENSHOTS names a folder, the pictures of docs/screenshots are written there.
package browser
