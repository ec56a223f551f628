// Doubles of LiteRT's interface for Kotlin, as far as packages use it.

package com.google.ai.edge.litert

import android.content.res.AssetManager
import doubles.Recorded

enum class Accelerator { CPU, GPU, NPU }

class TensorBuffer(internal var values: FloatArray = FloatArray(0)) : AutoCloseable {
    fun writeFloat(data: FloatArray) {
        values = data
    }

    fun writeInt8(data: ByteArray) {
        values = FloatArray(data.size) { data[it].toFloat() }
    }

    fun readFloat(): FloatArray = values

    fun readInt(): IntArray = IntArray(values.size) { values[it].toInt() }

    override fun close() = Unit
}

class CompiledModel private constructor() : AutoCloseable {
    data class CpuOptions(
        val numThreads: Int? = null,
        val xnnPackFlags: Int? = null,
        val xnnPackWeightCachePath: String? = null,
    )

    class Options(vararg val accelerators: Accelerator) {
        var cpuOptions: CpuOptions? = null
    }

    fun createInputBuffers(signatureIndex: Int = 0): List<TensorBuffer> = listOf(TensorBuffer())

    fun createOutputBuffers(signatureIndex: Int = 0): List<TensorBuffer> = List(3) { TensorBuffer() }

    fun run(inputs: List<TensorBuffer>, outputs: List<TensorBuffer>, signatureIndex: Int = 0) {
        Recorded.input = inputs.single().values
        Recorded.outputs.forEachIndexed { index, values -> outputs[index].values = values }
    }

    override fun close() = Unit

    companion object {
        fun create(assetManager: AssetManager, assetName: String, options: Options): CompiledModel {
            assetManager.open(assetName).close()
            Recorded.threads = options.cpuOptions?.numThreads ?: 0
            return CompiledModel()
        }
    }
}
