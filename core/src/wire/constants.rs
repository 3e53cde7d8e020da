//! Numbers with a meaning in calls and replies, by topic (protocol facts 5, known). Names are the
//! SDK's without the prefix, which is the module. The list has only numbers that the server uses.

/// Makes a module of constants.
macro_rules! constants {
    ($(#[$doc:meta])* $topic:ident: $type:ty { $($name:ident = $value:literal, $meaning:literal;)* }) => {
        $(#[$doc])*
        pub mod $topic {
            $(
                #[doc = $meaning]
                pub const $name: $type = $value;
            )*
        }
    };
}

/// The API version that this server speaks, 6.80, as CmGetVersion counts: major<<24, minor<<16,
/// build (inferred).
pub const API_VERSION: u32 = 6 << 24 | 80 << 16;

constants! {
    /// Search order of the access calls (5.1), access modes and flags (5.2).
    access: u32 {
        LOCAL = 0, "Search order: this machine only.";
        LAN = 1, "Search order: network only.";
        LOCAL_LAN = 2, "Search order: this machine, then network.";
        LAN_LOCAL = 3, "Search order: network, then this machine.";
        LANWAN = 0x11, "Search order: network including CmWAN servers.";
        LOCAL_LANWAN = 0x12, "Search order: this machine, then network with CmWAN.";
        LANWAN_LOCAL = 0x13, "Search order: network with CmWAN, then this machine.";
        CMDMASK = 0x13, "Mask of the search order.";
        FROM_LIBRARY = 0x1000_0000, "Set by the SDK library in the search order on the wire; meaning unknown.";
        USERLIMIT = 0, "Mode: every access takes a licence.";
        NOUSERLIMIT = 0x100, "Mode: no licence is taken.";
        EXCLUSIVE = 0x200, "Mode: one instance only.";
        STATIONSHARE = 0x300, "Mode: all instances of one machine and session share one licence.";
        CONVENIENT = 0x400, "Mode of unknown meaning.";
        STRUCTMASK = 0x700, "Mask of the mode.";
        FORCE = 0x0001_0000, "Flag: do not check the entry's state.";
        CHECK_FSB = 0x0002_0000, "Flag: look for a firm security box.";
        CHECK_CTSB = 0x0004_0000, "Flag: look for a company time security box.";
        SUBSYSTEM = 0x0008_0000, "Flag: the service itself, no container needed.";
        FIRMITEM = 0x0010_0000, "Flag: the firm item, not product 0.";
        BORROW_MASK = 0x0f00_0000, "Mask of the borrow flags.";
        IGNORE_LINGERTIME = 0x1000_0000, "Flag: free at once on release.";
    }
}

constants! {
    /// Where and what an access is: `access_ctrl` of CMCREDENTIAL (5.2).
    credential: u32 {
        LOCATION_LOCAL = 1, "Given by this machine.";
        LOCATION_LAN = 2, "Given over the network.";
        LOCATION_WAN = 4, "Given over CmWAN.";
        LOCATION_MASK = 7, "Mask of the location.";
        HANDLE_ENTRY = 8, "Handle of a licence entry.";
        HANDLE_FI = 0x10, "Handle of a firm item.";
        HANDLE_BOX = 0x18, "Handle of a container.";
        HANDLE_SUBSYSTEM = 0x20, "Handle of the service.";
        HANDLE_MASK = 0x38, "Mask of the kind.";
    }
}

constants! {
    /// CmGetInfo selectors and what they give out (5.3). Without a remark, the pairing follows from the
    /// names in the SDK header.
    info: u32 {
        BOXCONTROL = 0, "CMBOXCONTROL.";
        BOXINFO = 1, "CMBOXINFO; size known.";
        BOXSECURITY = 2, "CMBOXSECURITY.";
        BOXTIME = 3, "CMBOXTIME; size known.";
        ENTRYDATA = 4, "Array of CMENTRYDATA; inferred.";
        ENTRYINFO = 5, "CMBOXENTRY.";
        INTERNALENTRYINFO = 6, "CMINTERNALENTRYINFO.";
        MEMINFO = 7, "CMMEMINFO.";
        SIGNEDLIST = 8, "Bytes, unknown.";
        SIGNEDTIME = 9, "CMSIGNEDTIME.";
        SYSTEM = 0xa, "CMSYSTEM; known.";
        VERSION = 0xb, "CMVERSION; known.";
        ENABLEBLOCKITEMS = 0xc, "Array of CMENABLING_ENABLEBLOCKITEM_LIST; inferred.";
        ENABLELOOKUPITEMS_FI = 0xd, "Array of CMENABLING_ENABLELOOKUPENTRY; inferred.";
        ENABLELOOKUPITEMS_PI = 0xe, "Array of CMENABLING_ENABLELOOKUPENTRY; inferred.";
        CHIPINFO = 0xf, "CMCHIPINFO.";
        BOXSTATUS = 0x10, "u32 of `boxstatus`; inferred.";
        USBCHIPINFO = 0x11, "CMUSBCHIPINFO.";
        NETINFO_CLUSTER = 0x12, "Array of CMNETINFOCLUSTER.";
        NETINFO_USER = 0x13, "Array of CMNETINFOUSER.";
        CREDENTIAL = 0x14, "CMCREDENTIAL.";
        SECURITYVERSION = 0x15, "CMSECURITYVERSION.";
        NETINFO_USER_EXT = 0x16, "Array of CMNETINFOUSER_EXT.";
        MEMINFO2 = 0x17, "CMMEMINFO2.";
        ACT_LICENSE_INFO = 0x18, "CMACTLICENSEINFO.";
        ACT_ERROR_INFO = 0x19, "CMACTERRORINFO.";
        CMACTVERSION = 0x20, "CMVERSION; inferred.";
        BORROWCLIENT = 0x30, "CMBORROWCLIENT.";
        BORROWDATA = 0x31, "CMBORROWDATA.";
        BORROWITEMS = 0x32, "Array of CMBORROWITEM.";
        ENTRYINFO2 = 0x33, "CMBOXENTRY2; size known.";
        ENABLEINFO = 0x34, "Array of CMENABLING_CONTEXT; inferred.";
        ACT_LICENSE_INFO2 = 0x35, "CMACTLICENSEINFO2.";
        SYSTEMSTATUS = 0x36, "CMSYSTEMSTATUS.";
        COMMUNICATION = 0x37, "CMCOMMUNICATION; size known.";
        LTHISTORY = 0x38, "Array of CMLTHISTORY.";
        LTTRANSFEROPTIONS = 0x39, "CMLTTRANSFEROPTIONS.";
        LISTALLPI = 0x3a, "Array of CMPIENTRYBASE; inferred.";
        NAMEDUSER = 0x40, "CMNAMEDUSER; inferred.";
        PITEXT = 0x41, "Text, unknown form.";
        RESET_TIME = 0x42, "Unknown.";
        CMDMASK = 0xff, "Mask of the selector.";
        USELOCALTIME = 0x1000, "Modifier: times as local time.";
        INDEXMASK = 0xff00_0000, "Mask of an index.";
    }
}

constants! {
    /// CmGetBoxes ports and CmGetBoxContents kinds (5.4).
    boxes: u32 {
        ALLPORTS = 0, "Port: all containers.";
        DONGLE = 1, "Port: everything but CmAct.";
        SIM = 2, "Port: simulated.";
        ACT = 4, "Port: CmAct licences.";
        CLOUD = 0x10, "Port: cloud containers.";
        PORT_MASK = 0x1f, "Mask of the port.";
        ALLENTRIES = 0, "Kind: product items.";
        FI = 1, "Kind: firm items.";
        BOX = 2, "Kind: containers.";
    }
}

constants! {
    /// CmGetServers options (5.5).
    servers: u32 {
        LIST = 0, "All found servers as one list.";
        SINGLE_FIRST = 1, "First server, start of a loop.";
        SINGLE = 2, "Next server.";
        CMDMASK = 3, "Mask.";
        NAME = 0x10, "Host names.";
        ALL_SERVERS = 0x20, "Also those not enabled as network server.";
        REMOTE_SERVERS_ONLY = 0x40, "Leave out this machine.";
        IPADDR_IPV6MAPPED = 0x80, "Addresses in IPv6 form.";
        INCLUDE_CMWAN_SERVERS = 0x100, "With CmWAN servers.";
        IPADDR = 0x200, "Addresses.";
    }
}

constants! {
    /// Operation (`ctrl` of the crypt calls), and key source, algorithm and options of the crypt
    /// structures (5.6).
    crypt: u32 {
        DIRECT_ENC = 0, "Operation: direct encryption.";
        DIRECT_DEC = 1, "Operation: direct decryption.";
        STREAM = 3, "Operation: stream.";
        AES_ENC_ECB = 4, "Operation.";
        AES_DEC_ECB = 5, "Operation.";
        AES_ENC_CFB = 6, "Operation.";
        AES_DEC_CFB = 7, "Operation.";
        AES_ENC_CBC = 8, "Operation.";
        AES_DEC_CBC = 9, "Operation.";
        AES_ENC_CBC_DIRECT = 0xa, "Operation.";
        AES_DEC_CBC_DIRECT = 0xb, "Operation.";
        CMDMASK = 0xf, "Mask of the operation.";
        AUTOKEY = 0x100, "Operation flag: the library makes the key.";
        FIRMKEY = 0, "Key source: firm key.";
        HIDDENDATA = 1, "Key source: hidden data.";
        SECRETDATA = 2, "Key source: secret data.";
        UNIVERSALDATA = 8, "Key source: universal data.";
        KSMASK = 0xf, "Mask of the key source.";
        CHKCRC = 0x0001_0000, "Check the CRC after decryption.";
        CALCCRC = 0x0002_0000, "Compute the CRC before encryption.";
        AES = 0, "Algorithm.";
        ECIES = 0x0100_0000, "Algorithm.";
        ECIES_STD = 0x0200_0000, "Algorithm.";
        AES_DIRECT = 0x0300_0000, "Algorithm.";
        RSA = 0x0500_0000, "Algorithm.";
        ALGMASK = 0xff00_0000, "Mask of the algorithm.";
        UCCHECK = 0, "Option: units are used if there are any.";
        UCREQUIRED = 0x1000_0000, "Option: a unit counter must exist.";
        UCIGNORE = 0x2000_0000, "Option: units are not used.";
        UCMASK = 0x3000_0000, "Mask of the unit counter option.";
        UCDELTAMASK = 0x3fff, "Mask of the units to take.";
        ATREQUIRED = 0x0400_0000, "Option: an activation time must exist.";
        ATIGNORE = 0x0800_0000, "Option: the activation time is not checked.";
        ATMASK = 0x0c00_0000, "Mask of the activation time option.";
        ETREQUIRED = 0x0100_0000, "Option: an expiration time must exist.";
        ETIGNORE = 0x0200_0000, "Option: the expiration time is not checked.";
        ETMASK = 0x0300_0000, "Mask of the expiration time option.";
        MPREQUIRED = 0x0010_0000, "Option: a maintenance period must exist.";
        TOPLAINONLY = 0x0020_0000, "Option: decryption only.";
        FACDECREMENT = 0x0040_0000, "Option: lower the firm access counter.";
        CERTTIME = 0x0080_0000, "Option: use certified time.";
        SAUNLIMITED = 0, "Option: handle of any mode.";
        SASTATIONSHARE = 0x0002_0000, "Option: the handle must be station share.";
        SAUSERLIMIT = 0x0004_0000, "Option: the handle must be user limit.";
        SAEXCLUSIVE = 0x0008_0000, "Option: the handle must be exclusive.";
        SAMASK = 0x000f_0000, "Mask of the system access option.";
    }
}

constants! {
    /// Key source and mode of CMAUTHENTICATE (5.6).
    auth: u32 {
        FIRMKEY = 0, "Key source: firm key.";
        HIDDENDATA = 1, "Key source: hidden data.";
        SECRETDATA = 2, "Key source: secret data.";
        SERIALKEY = 3, "Key source: serial key, bound to one container.";
        BOXKEY = 4, "Key source: box key, bound to one container.";
        PISK = 5, "Key source: product item secret key.";
        UNIVERSALDATA = 6, "Key source: universal data.";
        KSMASK = 7, "Mask of the key source.";
        DIRECT = 0, "Mode: digest as given.";
        EXTENDED = 0x0001_0000, "Mode: with entry data.";
        SERIAL = 0x0002_0000, "Mode: with serial.";
        EXTENDED2 = 0x0003_0000, "Mode: second extended form.";
        AMMASK = 0x0003_0000, "Mask of the mode.";
    }
}

constants! {
    /// CmValidateEntry selectors (5.8).
    validate: u32 {
        SIGNEDLIST = 0, "Signed list.";
        SIGNEDTIME = 1, "Signed time.";
        DELETE_FI = 2, "Delete a firm item.";
        CMDMASK = 3, "Mask.";
    }
}

constants! {
    /// Licence quantity flags of an entry (5.7).
    quantity: u32 {
        DENIED_USERLIMIT = 1, "User limit mode not allowed.";
        DENIED_NOUSERLIMIT = 2, "No user limit mode not allowed.";
        DENIED_EXCLUSIVE = 4, "Exclusive mode not allowed.";
        DENIED_STATIONSHARE = 8, "Station share mode not allowed.";
        DENIED_ALL = 0xf, "Mask of the four.";
        ALLOWCMWAN = 0x100, "May be served over CmWAN.";
        TRIPLEMODEREDUNDANCY = 0x200, "TMR licence.";
        LOCALACCESSONLY = 0x400, "Not for network use.";
    }
}

constants! {
    /// Product item options: bits of `set_pios` (5.7).
    pio: u32 {
        PRODUCTCODE = 1, "Product Code.";
        FEATUREMAP = 2, "Feature map.";
        EXPTIME = 4, "Expiration time.";
        ACTTIME = 8, "Activation time.";
        UNITCOUNTER = 0x10, "Unit counter.";
        PROTDATA = 0x20, "Protected data.";
        EXTPROTDATA = 0x40, "Extended protected data.";
        HIDDENDATA = 0x80, "Hidden data.";
        SECRETDATA = 0x100, "Secret data.";
        USERDATA = 0x200, "User data.";
        TEXT = 0x400, "Text.";
        USAGEPERIOD = 0x800, "Usage period.";
        LICENSEQUANTITY = 0x1000, "Licence quantity.";
        MAINTENANCEPERIOD = 0x0001_0000, "Maintenance period.";
        LINGERTIME = 0x0002_0000, "Linger time.";
        MINIMUMVERSION = 0x0004_0000, "Minimum runtime version.";
        STATUS = 0x0400_0000, "Transfer status.";
    }
}

constants! {
    /// Firm item kinds (5.7).
    firmitem: u32 {
        FILEBASED = 0, "File based.";
        BOXBASED = 1, "Box based.";
        TRANSFERBASED = 4, "Universal Firm Code.";
    }
}

constants! {
    /// Container status (5.8).
    boxstatus: u32 {
        ENABLED = 0, "Enabled.";
        ISCMACT = 8, "It is a CmAct licence.";
        CMACT_FILE = 0x100, "CmAct: file is there.";
        CMACT_LOADED = 0x200, "CmAct: loaded.";
        CMACT_ACTIVE = 0x1000, "CmAct: active.";
    }
}

constants! {
    /// Platform, service status and communication (5.8).
    system: u32 {
        LINUX = 0x0001_0000, "Platform: Linux.";
        LITTLE_ENDIAN = 0x0010_0000, "Platform: little endian.";
        BIG_ENDIAN = 0x0020_0000, "Platform: big endian.";
        RUNNING_AS_SERVICE = 1, "Status: runs as a service.";
        CMACT_ENABLED = 2, "Status: CmAct is on.";
        CMACT_AVAILABLE = 0x10, "Status: CmAct is available.";
        LAN_SERVER = 1, "Server feature: network server.";
        WAN_SERVER = 2, "Server feature: CmWAN server.";
    }
}

constants! {
    /// Container masks (5.9); shown to users as mask, dash, serial.
    mask: u16 {
        CMACT_UNIVERSAL = 130, "CmActLicense with universal Firm Code.";
        TMR = 131, "Virtual container of a TMR set-up.";
    }
}

constants! {
    /// How a client reaches the service: `api_communication_mode` of CMCOMMUNICATION (5.8).
    mode: u16 {
        SHARED_MEM = 2, "Shared memory.";
        TCPIP_IPV4 = 4, "IPv4.";
        TCPIP_IPV6 = 8, "IPv6.";
    }
}
