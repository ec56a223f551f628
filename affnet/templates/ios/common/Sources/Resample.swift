// Pillow's resampling, bit for bit: separable, antialiased, in 8-bit fixed point; columns first.
// Core Image, vImage and Vision scale otherwise and give other pixels.  Nothing here is Apple's.

/// Pixels of 8 bits in RGB, row by row.
struct Pixels {
  let width: Int
  let height: Int
  var rgb: [UInt8]
}

/// A part of a picture.
struct Region {
  let left: Int
  let top: Int
  let width: Int
  let height: Int
}

enum Kernel {
  case bilinear, bicubic

  var support: Double { self == .bilinear ? 1 : 2 }

  func weight(_ signed: Double) -> Double {
    let a = -0.5
    let x = abs(signed)
    if self == .bilinear { return x < 1 ? 1 - x : 0 }
    if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0
  }
}

private let precision = 22  // bits behind the point
private let half = 1 << (precision - 1)

private struct Coefficients {
  var first: [Int] = []  // of each output, its first input
  var count: [Int] = []  // and how many there are
  let size: Int  // of the row of weights of each output
  var weights: [Int]

  init(from: Int, to: Int, start: Int, length: Int, kernel: Kernel) {
    let scale = Double(from) / Double(to)
    let filter = max(scale, 1)
    let inverse = 1 / filter
    let support = kernel.support * filter
    size = Int(support.rounded(.up)) * 2 + 1
    weights = [Int](repeating: 0, count: length * size)
    var row = [Double](repeating: 0, count: size)
    for index in 0..<length {
      let center = (Double(start + index) + 0.5) * scale
      let low = max(0, Int(center - support + 0.5))
      let high = min(from, Int(center + support + 0.5))
      var sum = 0.0
      for x in low..<high {
        row[x - low] = kernel.weight((Double(x) - center + 0.5) * inverse)
        sum += row[x - low]
      }
      for x in 0..<(high - low) {
        let exact = (sum != 0 ? row[x] / sum : row[x]) * Double(1 << precision)
        weights[index * size + x] = Int(exact < 0 ? exact - 0.5 : exact + 0.5)
      }
      first.append(low)
      count.append(high - low)
    }
  }
}

private func clipped(_ sum: Int) -> UInt8 { UInt8(min(max(sum >> precision, 0), 255)) }

/// Resizes pixels and returns a part of the result; nothing else of it is computed.
func resample(_ source: Pixels, width: Int, height: Int, part: Region, kernel: Kernel) -> Pixels {
  if height == source.height {
    return resampleColumns(source, width, part, part.top, part.top + part.height, kernel)
  }
  let rows = Coefficients(
    from: source.height, to: height, start: part.top, length: part.height, kernel: kernel)
  let top = rows.first[0]
  let bottom = rows.first[part.height - 1] + rows.count[part.height - 1]
  let across = resampleColumns(source, width, part, top, bottom, kernel)
  return resampleRows(across, top, rows, part.height)
}

private func resampleColumns(
  _ source: Pixels, _ width: Int, _ part: Region, _ top: Int, _ bottom: Int, _ kernel: Kernel
) -> Pixels {
  var found = Pixels(width: part.width, height: bottom - top, rgb: [])
  found.rgb.reserveCapacity(3 * part.width * found.height)
  if width == source.width {
    for y in top..<bottom {
      let line = 3 * (y * source.width + part.left)
      found.rgb += source.rgb[line..<(line + 3 * part.width)]
    }
    return found
  }
  let columns = Coefficients(
    from: source.width, to: width, start: part.left, length: part.width, kernel: kernel)
  source.rgb.withUnsafeBufferPointer { pixels in
    for y in top..<bottom {
      for x in 0..<part.width {
        let from = 3 * (y * source.width + columns.first[x])
        for channel in 0..<3 {
          var sum = half
          for k in 0..<columns.count[x] {
            sum += Int(pixels[from + 3 * k + channel]) * columns.weights[x * columns.size + k]
          }
          found.rgb.append(clipped(sum))
        }
      }
    }
  }
  return found
}

private func resampleRows(_ source: Pixels, _ top: Int, _ rows: Coefficients, _ length: Int) -> Pixels {
  let stride = 3 * source.width
  var found = Pixels(width: source.width, height: length, rgb: [])
  found.rgb.reserveCapacity(stride * length)
  source.rgb.withUnsafeBufferPointer { pixels in
    for y in 0..<length {
      let begin = (rows.first[y] - top) * stride
      for x in 0..<stride {
        var sum = half
        for k in 0..<rows.count[y] {
          sum += Int(pixels[begin + k * stride + x]) * rows.weights[y * rows.size + k]
        }
        found.rgb.append(clipped(sum))
      }
    }
  }
  return found
}

/// Brings a map of classes to another size by the nearest pixel, as Pillow does.
func nearest(_ map: [Int], width: Int, height: Int, toWidth: Int, toHeight: Int) -> [Int] {
  let columns = places(width, toWidth)
  let rows = places(height, toHeight)
  return rows.flatMap { row in columns.map { map[row * width + $0] } }
}

private func places(_ from: Int, _ to: Int) -> [Int] {
  let scale = Double(from) / Double(to)
  var at = scale * 0.5  // summed up, not multiplied: it rounds as Pillow's does
  return (0..<to).map { _ in
    defer { at += scale }
    return min(from - 1, Int(at))
  }
}
