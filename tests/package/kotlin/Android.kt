// Doubles of Android's classes, as far as packages use them, on a JVM: pictures are read by Java's own decoders.

package android.content

import java.io.File
import java.io.InputStream

/** An app whose assets lie in folders. */
class Context(vararg folders: File) {
    val assets = android.content.res.AssetManager(folders.toList())
}
