//! The arguments of crypt and authentication calls. Layouts: protocol facts 4, known.

use super::container::CmBoxInfo;
use super::time::CmTime;
use super::{Layout, layout};

layout! {
    /// CMBASECRYPT: the common beginning of crypt structures, older form.
    CmBaseCrypt, 24 {
        /// Key source, algorithm, CRC flags.
        0 => ctrl: u32,
        /// Key extension type.
        4 => key_ext_type: u32,
        /// Encryption code chosen by the program.
        8 => encryption_code: u32,
        /// Unit counter, time and access options (CM_CRYPT_*).
        12 => encryption_code_options: u32,
        /// Requested feature bits.
        16 => feature_code: u32,
        /// Checksum of the data, in or out by flags.
        20 => crc: u32,
    }
}

layout! {
    /// CMBASECRYPT2: the common beginning of crypt structures.
    CmBaseCrypt2, 80 {
        /// Key source, algorithm, CRC flags.
        0 => ctrl: u32,
        /// Key extension type.
        4 => key_ext_type: u32,
        /// Encryption code chosen by the program.
        8 => encryption_code: u32,
        /// Unit counter, time and access options (CM_CRYPT_*).
        12 => encryption_code_options: u32,
        /// Requested feature bits.
        16 => feature_code: u32,
        /// Release date checked against the maintenance period.
        20 => release_date: CmTime,
        /// Checksum of the data, in or out by flags.
        36 => crc: u32,
        /// Reserved.
        40 => reserved: [u32; 10],
    }
}

layout! {
    /// CMCRYPT: how to encrypt or decrypt, older form.
    CmCrypt, 40 {
        /// Common crypt parameters.
        0 => base_crypt: CmBaseCrypt,
        /// Initial value or key.
        24 => init_key: [u8; 16],
    }
}

layout! {
    /// CMCRYPT2: how to encrypt or decrypt.
    CmCrypt2, 144 {
        /// Common crypt parameters.
        0 => base_crypt: CmBaseCrypt2,
        /// Key for direct AES.
        80 => direct_aes_key: [u8; 16],
        /// Initial value or key.
        96 => init_key: [u8; 16],
        /// Reserved.
        112 => reserved: [u32; 8],
    }
}

layout! {
    /// CMCRYPTSIM: encryption with a firm key of the licensor, older form.
    CmCryptSim, 88 {
        /// Control flags.
        0 => ctrl: u32,
        /// Firm code (licensor).
        4 => firm_code: u32,
        /// Product code.
        8 => product_code: u32,
        /// Common crypt parameters.
        12 => base_crypt: CmBaseCrypt,
        /// Initial value or key.
        36 => init_key: [u8; 16],
        /// Length of the following key.
        52 => ext_firm_key_size: u32,
        /// Firm key given by the caller.
        56 => ext_firm_key: [u8; 32],
    }
}

layout! {
    /// CMCRYPTSIM2: encryption with a firm key of the licensor.
    CmCryptSim2, 176 {
        /// Control flags.
        0 => ctrl: u32,
        /// Firm code (licensor).
        4 => firm_code: u32,
        /// Product code.
        8 => product_code: u32,
        /// Common crypt parameters.
        12 => base_crypt: CmBaseCrypt2,
        /// Initial value or key.
        92 => init_key: [u8; 16],
        /// Length of the following key.
        108 => ext_firm_key_size: u32,
        /// Firm key given by the caller.
        112 => ext_firm_key: [u8; 32],
        /// Reserved.
        144 => reserved: [u32; 8],
    }
}

layout! {
    /// CMAUTHENTICATE: the digest to sign, or the key whose public part is asked for.
    CmAuthenticate, 200 {
        /// Key source and mode (CM_AUTH_*).
        0 => ctrl: u32,
        /// Key extension type.
        4 => key_ext_type: u32,
        /// Firm code (licensor).
        8 => firm_code: u32,
        /// Product code.
        12 => product_code: u32,
        /// Unit counter, time and access options (CM_CRYPT_*).
        16 => encryption_code_options: u32,
        /// Requested feature bits.
        20 => feature_code: u32,
        /// Container the authentication is tied to.
        24 => box_info: CmBoxInfo,
        /// SHA-256 digest to sign.
        168 => digest: [u8; 32],
    }
}

layout! {
    /// CMSECUREDATA: which protected data field to read, and how.
    CmSecureData, 48 {
        /// Common crypt parameters.
        0 => base_crypt: CmBaseCrypt,
        /// Option kind.
        24 => pio_type: u16,
        /// Extension number.
        26 => ext_type: u16,
        /// Key of the option.
        28 => pio_encryption_key: [u8; 16],
        /// Reserved.
        44 => reserve: u32,
    }
}

layout! {
    /// CMPIOCK: the option for which a core key is made.
    CmPioCk, 100 {
        /// Secure data block.
        0 => secure_data: CmSecureData,
        /// Control flags.
        48 => ctrl: u32,
        /// Firm code (licensor).
        52 => firm_code: u32,
        /// Product code.
        56 => product_code: u32,
        /// Access code of hidden data.
        60 => hidden_data_access_code: u32,
        /// Length of the following key.
        64 => ext_firm_key_size: u32,
        /// Firm key given by the caller.
        68 => ext_firm_key: [u8; 32],
    }
}
