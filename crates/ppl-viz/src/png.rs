//! A PNG file of 8-bit RGB pixels (ISO/IEC 15948), rows filtered by `Up` and deflated.

/// The file for `width * height` RGB triples in row order.
pub(crate) fn encode(width: u32, height: u32, rgb: &[u8]) -> Vec<u8> {
    const UP: u8 = 2;
    const LEVEL: u8 = 6;
    let stride = width as usize * 3;
    let mut filtered = Vec::with_capacity(rgb.len() + height as usize);
    let mut above = vec![0; stride];
    for row in rgb.chunks_exact(stride.max(1)) {
        filtered.push(UP);
        filtered.extend(row.iter().zip(&above).map(|(now, up)| now.wrapping_sub(*up)));
        above.copy_from_slice(row);
    }

    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::with_capacity(13);
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]); // 8 bits, RGB, deflate, adaptive filters, not interlaced
    chunk(&mut file, *b"IHDR", &header);
    chunk(&mut file, *b"IDAT", &miniz_oxide::deflate::compress_to_vec_zlib(&filtered, LEVEL));
    chunk(&mut file, *b"IEND", &[]);
    file
}

/// Length, kind, data, checksum of kind and data.
fn chunk(file: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    file.extend((data.len() as u32).to_be_bytes());
    let start = file.len();
    file.extend(kind);
    file.extend(data);
    let sum = crc32(&file[start..]);
    file.extend(sum.to_be_bytes());
}

/// CRC-32 with the reversed polynomial 0xEDB88320, by bytes.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let mut c = i as u32;
            let mut bit = 0;
            while bit < 8 {
                c = if c & 1 == 1 { 0xEDB8_8320 ^ (c >> 1) } else { c >> 1 };
                bit += 1;
            }
            table[i] = c;
            i += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |sum, byte| TABLE[((sum ^ u32::from(*byte)) & 0xFF) as usize] ^ (sum >> 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_of_the_standard_s_test_string() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926); // the check value of CRC-32/ISO-HDLC
    }

    #[test]
    fn an_independent_decoder_reads_back_the_same_pixels() {
        let (width, height) = (37, 11);
        let rgb: Vec<u8> = (0..width * height * 3).map(|i| (i * i % 251) as u8).collect();
        let file = encode(width, height, &rgb);
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (width, height));
        assert_eq!(pixels, rgb);
    }
}
