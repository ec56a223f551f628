package android.os

object Build {
    object VERSION {
        val SDK_INT = 36
    }
}
