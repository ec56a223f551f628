// Runs packages for Android on a JVM, as `tests.package.jvm` asks by lines on stdin: MODEL, the file
// of a picture or "golden", the file of what the network gives, the file whose container is read.

package doubles

import android.content.Context
import androidx.test.platform.app.Instrumentation
import androidx.test.platform.app.InstrumentationRegistry
import java.io.DataInputStream
import java.io.File
import java.nio.ByteBuffer
import java.util.zip.CRC32

/** A package as the program calls it; `tests.package.jvm` writes one for each. */
interface Probe {
    fun golden()

    fun answer(context: Context, bytes: ByteArray, container: ByteArray): String
}

private fun outputsIn(file: String): List<FloatArray> = DataInputStream(File(file).inputStream().buffered()).use { stream ->
    List(stream.readInt()) { FloatArray(stream.readInt()) { stream.readFloat() } }
}

private fun checksum(count: Int, put: (ByteBuffer) -> Unit): Long {
    val bytes = ByteBuffer.allocate(count).also(put).array()
    return CRC32().also { it.update(bytes) }.value
}

fun checksum(values: FloatArray): Long = checksum(4 * values.size) { it.asFloatBuffer().put(values) }

fun checksum(values: IntArray): Long = checksum(4 * values.size) { it.asIntBuffer().put(values) }

fun checksumOfColors(argb: IntArray): Long = checksum(3 * argb.size) { bytes ->
    for (color in argb) for (shift in listOf(16, 8, 0)) bytes.put((color shr shift).toByte())
}

private fun probe(probe: Probe, folder: File, picture: String, container: String): String {
    val context = Context(folder.resolve("src/main/assets"), folder.resolve("src/androidTest/assets"))
    InstrumentationRegistry.current = Instrumentation(context, context)
    if (picture != "golden") return probe.answer(context, File(picture).readBytes(), File(container).readBytes())
    probe.golden()
    return """{"golden": "passed", "threads": ${Recorded.threads}}"""
}

fun main(arguments: Array<String>) {
    for (line in generateSequence(::readLine)) {
        val (model, picture, outputs, container) = line.split("\t")
        Recorded.outputs = outputsIn(outputs)
        val said = try {
            probe(probes.getValue(model), File(arguments.single(), model), picture, container)
        } catch (error: IllegalArgumentException) {
            """{"error": "${error.message}"}"""
        } catch (error: AssertionError) {
            """{"failed": "${error.message}"}"""
        }
        println(said)
    }
}
