package doubles

/** What the doubles of the runtimes give, and were given. */
object Recorded {
    var outputs: List<FloatArray> = emptyList()
    var input: FloatArray = FloatArray(0)
    var threads = 0
}
