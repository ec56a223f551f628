// Doubles of ONNX Runtime's interface for Java, as far as packages use it.

package ai.onnxruntime

import android.system.Os
import doubles.Recorded
import java.nio.ByteBuffer
import java.nio.FloatBuffer
import java.nio.IntBuffer
import java.util.Optional

enum class OnnxJavaType { UINT8, INT8 }

interface OnnxValue : AutoCloseable

open class OnnxTensorLike : OnnxValue {
    override fun close() = Unit
}

class OnnxTensor(val values: FloatArray) : OnnxTensorLike() {
    val floatBuffer: FloatBuffer get() = FloatBuffer.wrap(values)
    val intBuffer: IntBuffer get() = IntBuffer.wrap(IntArray(values.size) { values[it].toInt() })

    companion object {
        fun createTensor(env: OrtEnvironment, data: FloatBuffer, shape: LongArray): OnnxTensor =
            OnnxTensor(FloatArray(data.remaining()).also(data::get)).also { check(it.values.size == size(shape)) }

        fun createTensor(env: OrtEnvironment, data: ByteBuffer, shape: LongArray, type: OnnxJavaType): OnnxTensor {
            check(data.isDirect && data.remaining() == size(shape))
            val mask = if (type == OnnxJavaType.UINT8) 255 else -1
            return OnnxTensor(FloatArray(data.remaining()) { (data.get().toInt() and mask).toFloat() })
        }

        private fun size(shape: LongArray): Int = shape.fold(1L, Long::times).toInt()
    }
}

class OrtEnvironment {
    fun createSession(model: ByteArray, options: OrtSession.SessionOptions): OrtSession {
        check(model.isNotEmpty())
        return OrtSession()
    }

    companion object {
        fun getEnvironment(): OrtEnvironment {
            check(Os.environment["ORT_DISABLE_TELEMETRY"] == "1")
            return OrtEnvironment()
        }
    }
}

class OrtSession : AutoCloseable {
    class SessionOptions : AutoCloseable {
        fun setIntraOpNumThreads(count: Int) {
            Recorded.threads = count
        }

        override fun close() = Unit
    }

    class Result(private val values: Map<String, OnnxValue>) : AutoCloseable {
        fun get(name: String): Optional<OnnxValue> = Optional.ofNullable(values[name])

        override fun close() = Unit
    }

    fun run(inputs: Map<String, OnnxTensorLike>, requestedOutputs: Set<String>): Result {
        Recorded.input = (inputs.values.single() as OnnxTensor).values
        return Result(requestedOutputs.zip(Recorded.outputs.map(::OnnxTensor)).toMap())
    }

    override fun close() = Unit
}
