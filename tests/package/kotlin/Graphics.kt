package android.graphics

import java.io.ByteArrayInputStream
import java.nio.ByteBuffer
import javax.imageio.ImageIO

class ColorSpace

class Bitmap(val width: Int, val height: Int, private val argb: IntArray) {
    enum class Config { ARGB_8888, RGB_565 }

    val config: Config? = Config.ARGB_8888
    val rowBytes = 4 * width + 8 // as a device may pad rows

    fun copy(config: Config, isMutable: Boolean): Bitmap? = this

    fun getPixels(pixels: IntArray, offset: Int, stride: Int, x: Int, y: Int, width: Int, height: Int) {
        argb.copyInto(pixels)
    }

    fun copyPixelsToBuffer(buffer: ByteBuffer) {
        for ((at, color) in argb.withIndex()) {
            val place = at / width * rowBytes + at % width * 4
            for ((index, shift) in listOf(16, 8, 0, 24).withIndex()) buffer.put(place + index, (color shr shift).toByte())
        }
    }
}

object BitmapFactory {
    class Options {
        var inJustDecodeBounds = false
        var inScaled = true
        var inPremultiplied = true
        var inPreferredConfig: Bitmap.Config? = null
        var inPreferredColorSpace: ColorSpace? = null
        var outColorSpace: ColorSpace? = ColorSpace()
        var outWidth = -1
        var outHeight = -1
    }

    fun decodeByteArray(data: ByteArray, offset: Int, length: Int, options: Options): Bitmap? {
        val image = runCatching { ImageIO.read(ByteArrayInputStream(data, offset, length)) }.getOrNull() ?: return null
        options.outWidth = image.width
        options.outHeight = image.height
        if (options.inJustDecodeBounds) return null
        check(!options.inScaled && !options.inPremultiplied) { "Android would change the colors" }
        return Bitmap(image.width, image.height, image.getRGB(0, 0, image.width, image.height, null, 0, image.width))
    }
}
