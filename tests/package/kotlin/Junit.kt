package org.junit

annotation class Test

object Assert {
    fun assertEquals(expected: Any?, actual: Any?) = assertEquals("", expected, actual)

    fun assertEquals(message: String, expected: Any?, actual: Any?) {
        if (expected != actual) throw AssertionError("$message: $actual instead of $expected")
    }

    fun assertTrue(message: String, condition: Boolean) {
        if (!condition) throw AssertionError(message)
    }
}
